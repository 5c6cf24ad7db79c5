// Registration at a real server.
#include "control/names/registrar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/ip/udp.hpp>
#include <ctime>
#include <functional>

#include "control/names/clock.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"
#include "proto/dns/rdata.h"
#include "tests/unit/names/knot_server.h"

namespace qure::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr Duration kPatience = Seconds(20);
const IpAddress kA = *ParseIp("203.0.113.5");
const IpAddress kB = *ParseIp("203.0.113.77");
const IpAddress kV6 = *ParseIp("2001:db8::5");

std::string Wire(std::string_view name) {
  return DnsNameToWire(name).value();
}

ClusterConfig Config(const Endpoint& server, const std::string& name, std::vector<IpAddress> addresses) {
  ClusterConfig config{.name = "cluster-" + name};
  RegistrationConfig registration{.server = server,
                                  .zone = Wire("example"),
                                  .name = Wire(name + ".example"),
                                  .shared = Wire("clusters.example"),
                                  .key_file = "/etc/qure/tsig.key",
                                  .key = KnotServer::Key(name),
                                  .addresses = std::move(addresses)};
  config.registration = std::move(registration);
  return config;
}

ClusterFacts Master() {
  ClusterFacts facts{.master = true};
  facts.nodes.push_back({.name = "n1", .role = NodeRole::kMaster, .alive = true});
  return facts;
}

class AtKnot : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!KnotServer::Installed()) GTEST_SKIP() << "no knotd here";
    knot_.emplace(*ParseIp(GetParam()));
  }

  void Until(const std::function<bool()>& done) {
    const MonoTime until = SteadyNow() + kPatience;
    while (!done()) {
      ASSERT_LT(SteadyNow(), until) << knot_->log();
      io_.restart();
      io_.run_one_for(std::chrono::milliseconds(50));
    }
  }
  void UntilState(const Registrar& registrar, std::string_view state) {
    Until([&] { return registrar.Show()["state"] == state; });
    EXPECT_EQ(registrar.Show()["state"], state) << registrar.Show();
  }
  // What any client gets.
  std::vector<IpAddress> Ask(const std::string& name, uint16_t type = kDnsTypeA) {
    const DnsQuestion question{.name = Wire(name), .type = type};
    std::vector<IpAddress> addresses;
    std::optional<std::string> ended;
    DnsExchange exchange(io_);
    const auto judge = [&](ConstBytes answer) {
      const DnsResponse response = ReadDnsResponse(answer, 7, question);
      EXPECT_EQ(response.kind, DnsResponse::Kind::kFinding);
      for (const DnsRecord& record : response.finding.records) {
        addresses.push_back(DnsAddressOf(record.rdata).value());
      }
      return JudgementOf(response);
    };
    exchange.Start(knot_->server(), WriteDnsQuestion(question, 7), Seconds(5), judge,
                   [&](const std::string& error) { ended = error; });
    Until([&] { return ended.has_value(); });
    EXPECT_EQ(ended, "");
    return addresses;
  }
  void Lead(Registrar* registrar, const ClusterConfig& config) {
    registrar->Configure(config);
    registrar->OnFacts(Master());
  }
  void FailsWith(const ClusterConfig& config, const std::string& reason, RegistrarOptions options = {}) {
    options.timeout = Milliseconds(300);
    Registrar registrar(io_, nullptr, options);
    Lead(&registrar, config);
    Until([&] { return !registrar.Show()["error"].is_null(); });
    EXPECT_THAT(registrar.Show()["error"].get<std::string>(), HasSubstr(reason));
    EXPECT_EQ(registrar.Show().dump().find(config.registration->key.secret), std::string::npos);
    EXPECT_THAT(Ask("clusters.example"), IsEmpty());
  }

  asio::io_context io_;
  std::optional<KnotServer> knot_;
};

TEST_P(AtKnot, TwoClustersRegisterAndOneLeaves) {
  Registrar one(io_);
  Registrar two(io_);
  Lead(&one, Config(knot_->server(), "home1", {kA, kV6}));
  Lead(&two, Config(knot_->server(), "home2", {kB}));
  UntilState(one, "registered");
  UntilState(two, "registered");
  EXPECT_THAT(Ask("home1.example"), ElementsAre(kA));
  EXPECT_THAT(Ask("home1.example", kDnsTypeAaaa), ElementsAre(kV6));
  EXPECT_THAT(Ask("home2.example"), ElementsAre(kB));
  EXPECT_THAT(Ask("clusters.example"), UnorderedElementsAre(kA, kB));
  bool left = false;
  one.Leave([&] { left = true; });
  Until([&] { return left; });
  EXPECT_EQ(one.Show()["state"], "removed");
  EXPECT_THAT(Ask("home1.example"), IsEmpty());
  EXPECT_THAT(Ask("clusters.example"), ElementsAre(kB));
  EXPECT_THAT(Ask("clusters.example", kDnsTypeAaaa), IsEmpty());
}

TEST_P(AtKnot, TheRegistrationStaysWhenOneOfSeveralNodesLeaves) {
  Registrar one(io_);
  Lead(&one, Config(knot_->server(), "home1", {kA}));
  UntilState(one, "registered");
  ClusterFacts facts = Master();
  facts.nodes.push_back({.name = "n2", .role = NodeRole::kDeputy, .alive = true});
  one.OnFacts(facts);
  bool left = false;
  one.Leave([&] { left = true; });
  EXPECT_TRUE(left);
  EXPECT_THAT(Ask("home1.example"), ElementsAre(kA));
}

TEST_P(AtKnot, AnAddressThatChangesIsReplaced) {
  Registrar one(io_);
  Lead(&one, Config(knot_->server(), "home3", {kA}));
  UntilState(one, "registered");
  one.Configure(Config(knot_->server(), "home3", {kB}));
  UntilState(one, "registered");
  EXPECT_THAT(Ask("home3.example"), ElementsAre(kB));
  EXPECT_THAT(Ask("clusters.example"), ElementsAre(kB));
}

TEST_P(AtKnot, ANewMasterRepairsWhatTheFormerOneLeft) {
  {
    Registrar former(io_);
    Lead(&former, Config(knot_->server(), "home1", {kA}));
    UntilState(former, "registered");
  }
  Registrar next(io_);
  Lead(&next, Config(knot_->server(), "home1", {kB}));
  UntilState(next, "registered");
  EXPECT_THAT(Ask("home1.example"), ElementsAre(kB));
  EXPECT_THAT(Ask("clusters.example"), ElementsAre(kB));
}

TEST_P(AtKnot, ANameIsOneClusters) {
  Registrar one(io_);
  Lead(&one, Config(knot_->server(), "home1", {kA}));
  UntilState(one, "registered");
  Registrar thief(io_);
  ClusterConfig config = Config(knot_->server(), "home1", {kB});
  config.name = "thief";
  Lead(&thief, config);
  UntilState(thief, "taken");
  EXPECT_THAT(thief.Show()["error"].get<std::string>(), HasSubstr("name taken by cluster \"cluster-home1\""));
  EXPECT_THAT(Ask("home1.example"), ElementsAre(kA));
  EXPECT_THAT(Ask("clusters.example"), ElementsAre(kA));
}

TEST_P(AtKnot, ForgedKeysAreRefusedAndReported) {
  ClusterConfig config = Config(knot_->server(), "home1", {kA});
  config.registration->key.secret = "a guess that is wrong";
  FailsWith(config, "BADSIG");
  config.registration->key = KnotServer::Key("stranger");
  FailsWith(config, "BADKEY");
}

TEST_P(AtKnot, AKeyThatMayNotUpdateIsRefused) {
  ClusterConfig config = Config(knot_->server(), "home1", {kA});
  config.registration->key = KnotServer::Key("reader");
  FailsWith(config, "the key reader.");
}

TEST_P(AtKnot, ClocksThatDifferAreReported) {
  RegistrarOptions options;
  options.wall_clock = [] { return static_cast<uint64_t>(std::time(nullptr)) + 1000; };
  FailsWith(Config(knot_->server(), "home1", {kA}), "BADTIME: clock differs by 1000 s: this node's is ahead", options);
}

TEST_P(AtKnot, AnotherZoneIsRefused) {
  ClusterConfig config = Config(knot_->server(), "home1", {kA});
  config.registration->zone = Wire("test");
  config.registration->name = Wire("home1.test");
  config.registration->shared.clear();
  FailsWith(config, "the server refuses");
}

// Enough clusters that the set does not fit into a datagram.
TEST_P(AtKnot, LargeSetsComeByTcp) {
  Registrar one(io_);
  std::vector<std::unique_ptr<Registrar>> heavy_hitter;
  for (int i = 0; i < 12; ++i) {
    std::vector<IpAddress> addresses(kMaxPublicAddresses);
    for (size_t j = 0; j < addresses.size(); ++j) {
      addresses[j] = *ParseIp("2001:db8:" + std::to_string(i) + "::" + std::to_string(j));
    }
    ClusterConfig config = Config(knot_->server(), "home1", addresses);
    config.name = "heavy_hitter-" + std::to_string(i);
    config.registration->name = Wire("heavy_hitter" + std::to_string(i) + ".example");
    heavy_hitter.push_back(std::make_unique<Registrar>(io_));
    Lead(heavy_hitter.back().get(), config);
  }
  for (const auto& member : heavy_hitter) UntilState(*member, "registered");
  Lead(&one, Config(knot_->server(), "home1", {kA, kV6}));
  UntilState(one, "registered");
  EXPECT_EQ(one.Show()["retries"], 0);
}

INSTANTIATE_TEST_SUITE_P(Families, AtKnot, ::testing::Values("127.0.0.1", "::1"));

// An echo server that reports a certain address.
class EchoServer {
 public:
  EchoServer(asio::io_context& io, const IpAddress& seen)
      : seen_(seen), socket_(io, {asio::ip::address_v4::loopback(), 0}) {
    Receive();
  }
  Endpoint server() const { return {.address = *ParseIp("127.0.0.1"), .port = socket_.local_endpoint().port()}; }

 private:
  void Receive() {
    socket_.async_receive_from(asio::buffer(bytes_), from_, [this](const asio::error_code& error, size_t size) {
      if (error) return;
      std::vector<uint8_t> answer(bytes_.begin(), bytes_.begin() + size - 11);  // without OPT
      answer[2] |= 0x84;
      answer[7] = 1;
      answer[11] = 0;
      answer.insert(answer.end(), {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4});
      const Ipv4Address seen = seen_.v4();
      answer.insert(answer.end(), seen.bytes.begin(), seen.bytes.end());
      socket_.send_to(asio::buffer(answer), from_);
      Receive();
    });
  }

  IpAddress seen_;
  asio::ip::udp::socket socket_;
  asio::ip::udp::endpoint from_;
  std::array<uint8_t, 512> bytes_{};
};

class WithEchoes : public AtKnot {};

TEST_P(WithEchoes, TheAddressThatMostServersReportIsRegistered) {
  EchoServer first(io_, kA);
  EchoServer second(io_, kB);
  EchoServer third(io_, kA);
  ClusterConfig config = Config(knot_->server(), "home1", {});
  config.registration->echo = {first.server(), second.server(), third.server()};
  config.registration->echo_name = Wire("address.localcluster");
  Registrar one(io_);
  Lead(&one, config);
  UntilState(one, "registered");
  EXPECT_THAT(Ask("home1.example"), ElementsAre(kA));
  EXPECT_THAT(one.Show()["echo"]["problem"].get<std::string>(), HasSubstr("do not agree"));
}

INSTANTIATE_TEST_SUITE_P(Families, WithEchoes, ::testing::Values("127.0.0.1"));

TEST(RegistrarAlone, WithoutAConfigurationNothingIsShownOrSent) {
  asio::io_context io;
  Registrar registrar(io);
  registrar.Configure({});
  registrar.OnFacts(Master());
  EXPECT_TRUE(registrar.Show().is_null());
  EXPECT_EQ(io.poll(), 0U);
}

TEST(RegistrarAlone, AnUnreachableServerIsReportedAndLeavingEnds) {
  asio::io_context io;
  uint16_t port = 0;
  {
    const asio::ip::udp::socket taken(io, {asio::ip::address_v4::loopback(), 0});
    port = taken.local_endpoint().port();
  }
  Registrar registrar(io, nullptr, {.timeout = Milliseconds(50), .leave_timeout = Milliseconds(100), .wall_clock = {}});
  registrar.Configure(Config({.address = *ParseIp("127.0.0.1"), .port = port}, "home1", {kA}));
  registrar.OnFacts(Master());
  const MonoTime begin = SteadyNow();
  while (registrar.Show()["error"].is_null() && SteadyNow() < begin + kPatience) {
    io.run_one_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(registrar.Show()["state"], "failed");
  EXPECT_GT(registrar.Show()["next_attempt_in_seconds"].get<double>(), 0.0);
  bool left = false;
  registrar.Leave([&] { left = true; });
  while (!left && SteadyNow() < begin + kPatience) io.run_one_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(left);
}

}  // namespace
}  // namespace qure::test
