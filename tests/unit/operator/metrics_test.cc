#include "control/operator/metrics.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "absl/strings/str_cat.h"
#include "control/base/fd.h"
#include "control/base/version.h"
#include "prometheus/text_serializer.h"
#include "tests/support/sample_node.h"

namespace qure {
namespace {

using ::testing::HasSubstr;

class MetricsTest : public ::testing::Test {
 protected:
  MetricsSource Source() {
    return {.node = [this] { return node_; },
            .mbufs_in_use = [] { return 42u; },
            .workers = {&first_, &second_},
            .names = [this] { return names_; }};
  }
  std::string Scrape() { return prometheus::TextSerializer().Serialize(NodeCollector(Source()).Collect()); }

  NodeStatus node_ = SampleNode();
  WorkerCounters first_;
  WorkerCounters second_;
  nlohmann::ordered_json names_ = {{"server",
                                    {{"connections", 5},
                                     {"open", 1},
                                     {"cut_off", 2},
                                     {"answers", {{"dns_answer", 7}}},
                                     {"types", {{"A", 6}, {"other", 1}}}}},
                                   {"registration", {{"state", "registered"}, {"retries", 0}, {"repairs", 3}}}};
};

class FieldD7Metrics : public MetricsTest {};

TEST_F(FieldD7Metrics, AServiceThatWasNeverCheckedHasNoVerdict) {
  node_.controller.services = {{.name = "new", .check = CheckState::kUnchecked},
                               {.name = "bad", .check = CheckState::kFails},
                               {.name = "good", .check = CheckState::kPasses}};
  const std::string text = Scrape();
  EXPECT_THAT(text, HasSubstr("qure_service_healthy{service=\"bad\"} 0"));
  EXPECT_THAT(text, HasSubstr("qure_service_healthy{service=\"good\"} 1"));
  EXPECT_THAT(text, testing::Not(HasSubstr("qure_service_healthy{service=\"new\"}")));
}

size_t CountOf(std::string_view needle, std::string_view text) {
  size_t count = 0;
  for (size_t at = text.find(needle); at != text.npos; at = text.find(needle, at + 1)) ++count;
  return count;
}

TEST_F(MetricsTest, EveryReasonOfEachWorkerAndPortIsThereEvenAtZero) {
  first_.lan_reasons[static_cast<size_t>(Reason::arp_reply)].Add(3);
  second_.host_reasons[static_cast<size_t>(Reason::lan_host)].Add(9);
  const std::string text = Scrape();
  EXPECT_EQ(CountOf("\nqure_frames_total{", text), kReasonCount * 2 * 2);
  EXPECT_THAT(text, HasSubstr(R"(qure_frames_total{port="lan",worker="0",verdict="answer",reason="arp_reply"} 3)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_frames_total{port="host",worker="1",verdict="lan",reason="lan_host"} 9)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_frames_total{port="lan",worker="1",verdict="drop",reason="gate_shut"} 0)"));
}

TEST_F(MetricsTest, PortsAreSummedOverWorkers) {
  first_.lan.rx_frames.Add(10);
  second_.lan.rx_frames.Add(5);
  second_.host.tx_bytes.Add(700);
  const std::string text = Scrape();
  EXPECT_THAT(text, HasSubstr(R"(qure_port_frames_total{port="lan",direction="rx"} 15)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_port_frames_total{port="lan",direction="tx"} 0)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_port_bytes_total{port="host",direction="tx"} 700)"));
}

TEST_F(MetricsTest, DnsQueriesAreSummedByType) {
  const IpAddress client = *ParseIp("192.0.2.9");
  first_.dns.Note(0, client, {}, kDnsTypeAaaa, Reason::dns_answer);
  second_.dns.Note(0, client, {}, kDnsTypeAaaa, Reason::dns_limited);
  second_.dns.Note(0, client, {}, kDnsTypeDs, Reason::dns_nodata);
  const std::string text = Scrape();
  EXPECT_THAT(text, HasSubstr(R"(qure_dns_queries_total{type="AAAA"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_dns_queries_total{type="other"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_dns_queries_total{type="A"} 0)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_dns_slow_queries_total{type="A"} 6)"));
}

TEST_F(MetricsTest, WorkersCountInBaseUnits) {
  first_.rounds.Add(100);
  first_.busy_rounds.Add(40);
  first_.sleeps.Add(3);
  first_.sleep_ns.Add(2'500'000'000);
  second_.stalls.Add(1);
  second_.events_lost.Add(6);
  const std::string text = Scrape();
  EXPECT_THAT(text, HasSubstr(R"(qure_worker_rounds_total{worker="0"} 100)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_worker_busy_rounds_total{worker="0"} 40)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_worker_sleeps_total{worker="0"} 3)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_worker_sleep_seconds_total{worker="0"} 2.5)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_worker_stalls_total{worker="1"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_events_lost_total{worker="1"} 6)"));
}

TEST_F(MetricsTest, ClaimStateIsOneHot) {
  const std::string text = Scrape();
  EXPECT_THAT(text, HasSubstr(R"(qure_claim_state{address="198.51.100.50",state="held"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_claim_state{address="198.51.100.50",state="probing"} 0)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_claim_state{address="198.51.100.50",state="taken"} 0)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_claim_state{address="2001:db8:2::50",state="taken"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_claim_verified{address="198.51.100.50"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_claim_verify_alarm{address="198.51.100.50"} 0)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_claim_contested{address="198.51.100.50"} 0)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_claim_conflicts_total{address="198.51.100.50"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_claim_defenses_total{address="198.51.100.50"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(qure_claim_verify_failures_total{address="198.51.100.50"} 4)"));
}

TEST_F(MetricsTest, ShowsTheStateOfTheNode) {
  const std::string text = Scrape();
  EXPECT_THAT(text, HasSubstr("\nqure_gate_open 1\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_snapshot_revision 7\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_mbufs_in_use 42\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_dns_slow_answers_total{reason=\"dns_answer\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_dns_connections_total 5\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_registered 1\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_registration_repairs_total 3\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_start_time_seconds 1700000000\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_config_reload_success 1\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_config_last_reload_time_seconds 1700000050\n"));
  EXPECT_THAT(text, HasSubstr("qure_build_info{version=\"" + std::string(Version()) + "\",revision=\"" +
                              std::string(Revision()) + "\"} 1\n"));
}

TEST_F(MetricsTest, EveryScrapeReadsAnew) {
  NodeCollector collector(Source());
  collector.Collect();
  node_.gate_open = false;
  node_.last_reload.error = "refused";
  const std::string text = prometheus::TextSerializer().Serialize(collector.Collect());
  EXPECT_THAT(text, HasSubstr("\nqure_gate_open 0\n"));
  EXPECT_THAT(text, HasSubstr("\nqure_config_reload_success 0\n"));
}

// A listening TCP socket on a free loopback port.
class Listener {
 public:
  Listener() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), length);
    listen(socket_.get(), 1);
    getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
  }
  uint16_t port() const { return port_; }
  void Close() { socket_ = Fd(); }

 private:
  Fd socket_;
  uint16_t port_ = 0;
};

std::string HttpGet(uint16_t port, const std::string& path) {
  const Fd socket(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return "";
  const std::string request = "GET " + path + " HTTP/1.0\r\n\r\n";
  send(socket.get(), request.data(), request.size(), 0);
  std::string answer;
  char buffer[4096];
  for (ssize_t n = 0; (n = recv(socket.get(), buffer, sizeof(buffer), 0)) > 0;)
    answer.append(buffer, static_cast<size_t>(n));
  return answer;
}

TEST_F(MetricsTest, IsServedOverHttp) {
  Listener reserved;
  const uint16_t port = reserved.port();
  reserved.Close();
  const auto server = MetricsServer::Listen(absl::StrCat("127.0.0.1:", port), Source());
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string answer = HttpGet(port, "/metrics");
  EXPECT_THAT(answer, HasSubstr("200 OK"));
  EXPECT_THAT(answer, HasSubstr("\nqure_gate_open 1\n"));
}

class FieldD9 : public MetricsTest {};

TEST_F(FieldD9, ABusyPortIsTriedAgain) {
  Listener other;
  const uint16_t port = other.port();
  const std::string address = absl::StrCat("127.0.0.1:", port);
  testing::internal::CaptureStderr();
  {
    const MetricsKeeper keeper(address, Source(), Milliseconds(10));
    other.Close();
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    // The library listens before it knows what to answer.
    bool answers = false;
    while (!answers && std::chrono::steady_clock::now() < end) {
      answers = HttpGet(port, "/metrics").find("\nqure_gate_open 1\n") != std::string::npos;
    }
    EXPECT_TRUE(answers);
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::AllOf(HasSubstr("warning"), HasSubstr(address + ": Address already in use")));
}

TEST_F(FieldD9, AKeeperEndsThoughItsPortIsBusy) {
  const Listener other;
  testing::internal::CaptureStderr();
  { const MetricsKeeper keeper(absl::StrCat("127.0.0.1:", other.port()), Source(), Seconds(1000)); }
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("trying again"));
}

TEST_F(MetricsTest, AddressInUseIsAnError) {
  const Listener other;
  const std::string address = absl::StrCat("127.0.0.1:", other.port());
  const auto server = MetricsServer::Listen(address, Source());
  ASSERT_FALSE(server.ok());
  EXPECT_THAT(std::string(server.status().message()), HasSubstr(address));
}

TEST_F(MetricsTest, AddressOfAnotherMachineIsAnError) {
  EXPECT_FALSE(MetricsServer::Listen("192.0.2.1:9464", Source()).ok());
  EXPECT_FALSE(MetricsServer::Listen("nonsense", Source()).ok());
}

}  // namespace
}  // namespace qure
