// Checks against small servers on this machine.
#include "control/qured/health_prober.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>
#include <thread>

namespace qure::test {
namespace {

const IpAddress kHere = *ParseIp("127.0.0.1");

MonoTime Now() {
  return {std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count()};
}

// Accepts one connection, reads the request and sends `answer`; sends nothing if it is empty.
class Server {
 public:
  explicit Server(std::string answer, int backlog = 4)
      : answer_(std::move(answer)), listener_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(listener_.get(), backlog), 0);
    socklen_t length = sizeof(address);
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
  }
  ~Server() {
    shutdown(listener_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  uint16_t port() const { return port_; }
  void Serve() {
    thread_ = std::thread([this] {
      const Fd connection(accept(listener_.get(), nullptr, nullptr));
      if (!connection.valid()) return;
      char asked[512];
      const ssize_t got = recv(connection.get(), asked, sizeof(asked), 0);
      if (got > 0) asked_.assign(asked, static_cast<size_t>(got));
      (void)send(connection.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL);
    });
  }
  std::string asked() {
    thread_.join();
    return asked_;
  }

 private:
  std::string answer_;
  std::string asked_;
  Fd listener_;
  uint16_t port_ = 0;
  std::thread thread_;
};

ServiceConfig Service(HealthCheck::Kind kind, uint16_t port) {
  ServiceConfig service{.name = "web", .first_port = port, .last_port = port};
  service.check = {.kind = kind, .path = "/health", .timeout = Milliseconds(300), .reach = false};
  return service;
}

const MacAddress kHostMac{{2, 0, 0, 0, 0, 1}};

// Keeps what it sends to the kernel, which answers nothing.
struct World {
  std::vector<std::vector<uint8_t>> sent;
  uint32_t random = 1000;
  HealthProber prober{kHostMac, [this](ConstBytes frame) { sent.emplace_back(frame.begin(), frame.end()); },
                      [this] { return ++random; }};
};

// The results that come until there is one, or no check is under way any more.
std::vector<ProbeResult> Await(HealthProber* prober) {
  std::vector<ProbeResult> results;
  const MonoTime end = Now() + Seconds(20);
  while (results.empty() && prober->deadline() != kNever && Now() < end) {
    const auto left = std::max<int64_t>((prober->deadline() - Now()).ns / 1'000'000, 0);
    pollfd wait{prober->fd(), POLLIN, 0};
    poll(&wait, 1, static_cast<int>(std::min<int64_t>(left + 1, 100)));
    results = prober->Collect(Now());
  }
  return results;
}

bool Check(const ServiceConfig& service, const IpAddress& address = kHere) {
  World world;
  world.prober.Start(Now(), service, address);
  const std::vector<ProbeResult> results = Await(&world.prober);
  EXPECT_EQ(results.size(), 1U);
  EXPECT_EQ(world.prober.deadline(), kNever);
  EXPECT_THAT(world.sent, ::testing::IsEmpty());
  return results.size() == 1 && results[0].service == "web" && results[0].result == CheckResult::kGood;
}

bool HttpCheck(const std::string& answer, std::string* asked = nullptr) {
  Server server(answer);
  server.Serve();
  const bool good = Check(Service(HealthCheck::Kind::kHttp, server.port()));
  if (asked != nullptr) *asked = server.asked();
  return good;
}

}  // namespace

TEST(HealthProber, TcpIsHealthyWhenItIsAccepted) {
  Server server("");
  EXPECT_TRUE(Check(Service(HealthCheck::Kind::kTcp, server.port())));
}

TEST(HealthProber, TcpIsUnhealthyWithoutAListener) {
  uint16_t port = 0;
  {
    const Server server("");
    port = server.port();
  }
  EXPECT_FALSE(Check(Service(HealthCheck::Kind::kTcp, port)));
}

TEST(HealthProber, AnAddressOfAnotherMachineIsNotChecked) {
  World world;
  HealthProber& prober = world.prober;
  prober.Start(Now(), Service(HealthCheck::Kind::kTcp, 80), *ParseIp("198.51.100.50"));
  EXPECT_TRUE(prober.Collect(Now() + Seconds(1)).empty());
  EXPECT_EQ(prober.deadline(), kNever);
}

// 64 checks wait for servers that say nothing.
TEST(FieldE8, ACheckCostsNothingWhileNothingHappensToIt) {
  constexpr int kChecks = 64;
  const Server server("", kChecks);
  ServiceConfig service = Service(HealthCheck::Kind::kHttp, server.port());
  service.check.timeout = Seconds(1000);
  World world;
  HealthProber& prober = world.prober;
  const MonoTime now = Now();
  for (int i = 0; i < kChecks; ++i) {
    service.name = "service" + std::to_string(i);
    prober.Start(now, service, kHere);
  }
  // Until all are connected and have sent their request.
  uint64_t before = 0;
  do {
    before = prober.looks();
    pollfd wait{prober.fd(), POLLIN, 0};
    poll(&wait, 1, 100);
    EXPECT_TRUE(prober.Collect(now).empty());
  } while (prober.looks() != before || before < kChecks);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(prober.Collect(now).empty());
  EXPECT_EQ(prober.looks(), before);
  // One more check costs a few looks, whatever else is under way.
  Server other("HTTP/1.0 200 OK\r\n\r\n");
  other.Serve();
  service = Service(HealthCheck::Kind::kHttp, other.port());
  prober.Start(now, service, kHere);
  std::vector<ProbeResult> results;
  const MonoTime end = Now() + Seconds(20);
  while (results.empty() && Now() < end) {
    pollfd wait{prober.fd(), POLLIN, 0};
    poll(&wait, 1, 100);
    results = prober.Collect(now);
  }
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].result, CheckResult::kGood);
  EXPECT_LT(prober.looks(), before + 10);
}

TEST(HealthProber, HttpRequestsThePath) {
  std::string asked;
  EXPECT_TRUE(HttpCheck("HTTP/1.1 200 OK\r\n\r\n", &asked));
  EXPECT_TRUE(asked.starts_with("GET /health HTTP/1.0\r\nHost: 127.0.0.1\r\n")) << asked;
  EXPECT_TRUE(asked.ends_with("\r\n\r\n")) << asked;
}

TEST(HealthProber, HttpRequiresTheStatus) {
  EXPECT_FALSE(HttpCheck("HTTP/1.1 503 Service Unavailable\r\n\r\n"));
  EXPECT_FALSE(HttpCheck("HTTP/1.1 20"));
  EXPECT_FALSE(HttpCheck("HTTP/1.1 2000 Many\r\n"));
  EXPECT_TRUE(HttpCheck("HTTP/1.1 200\r\n"));
  EXPECT_FALSE(HttpCheck("SSH-2.0-OpenSSH 200\r\n"));
  EXPECT_FALSE(HttpCheck("\r\n\r\n"));
  EXPECT_FALSE(HttpCheck(std::string(4096, 'x')));
}

TEST(HealthProber, ASilentServerIsUnhealthyAfterTheTimeout) {
  const Server server("");  // the kernel accepts, but no answer comes
  EXPECT_FALSE(Check(Service(HealthCheck::Kind::kHttp, server.port())));
}

TEST(HealthProber, ANewCheckReplacesOneUnderWay) {
  const Server silent("");
  Server good("HTTP/1.1 200 OK\r\n");
  good.Serve();
  World world;
  HealthProber& prober = world.prober;
  prober.Start(Now(), Service(HealthCheck::Kind::kHttp, silent.port()), kHere);
  prober.Start(Now(), Service(HealthCheck::Kind::kHttp, good.port()), kHere);
  const std::vector<ProbeResult> results = Await(&prober);
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].result, CheckResult::kGood);
}

// A server that works, and what the kernel makes of a SYN that comes as clients' do.
class FieldD13Prober : public ::testing::Test {
 protected:
  void Start(uint16_t check_port = 0) {
    ServiceConfig service = Service(HealthCheck::Kind::kTcp, server_.port());
    service.check.reach = true;
    if (check_port != 0) {
      service.check.port = check_port;
      service.first_port = service.last_port = 9;
    }
    world_.prober.Start(Now(), service, kHere);
    ASSERT_EQ(world_.sent.size(), 1U);
  }
  WayInQuestion Question() {
    return {.host = kHostMac, .service = kHere, .port = server_.port(), .number = world_.random};
  }
  CheckResult Result() {
    const std::vector<ProbeResult> results = Await(&world_.prober);
    EXPECT_EQ(results.size(), 1U);
    return results.empty() ? CheckResult::kFailed : results[0].result;
  }

  const Server server_{""};
  World world_;
};

TEST_F(FieldD13Prober, ASynThatIsAnsweredIsGood) {
  Start();
  EXPECT_EQ(world_.sent[0], WayInSyn(Question()));
  world_.prober.OnWayIn(world_.random + 1, false);  // of no check
  world_.prober.OnWayIn(world_.random, true);
  EXPECT_EQ(Result(), CheckResult::kGood);
  ASSERT_EQ(world_.sent.size(), 2U);
  EXPECT_EQ(world_.sent[1], WayInReset(Question()));
  world_.prober.OnWayIn(world_.random, true);  // again, too late
  EXPECT_EQ(world_.sent.size(), 2U);
}

TEST_F(FieldD13Prober, ASynThatNobodyAnswersFails) {
  Start();
  EXPECT_EQ(Result(), CheckResult::kUnreached);
}

TEST_F(FieldD13Prober, ASynThatIsResetFails) {
  Start();
  world_.prober.OnWayIn(world_.random, false);
  EXPECT_EQ(Result(), CheckResult::kUnreached);
  EXPECT_EQ(world_.sent.size(), 1U);
}

// The check says whether the service works, whatever listens at its first port.
TEST_F(FieldD13Prober, AResetOfAPortThatIsNotCheckedShowsThatItIsReached) {
  Start(server_.port());
  world_.prober.OnWayIn(world_.random, false);
  EXPECT_EQ(Result(), CheckResult::kGood);
}

TEST_F(FieldD13Prober, AServerThatIsDownFailsItsCheck) {
  uint16_t port = 0;
  {
    const Server server("");
    port = server.port();
  }
  ServiceConfig service = Service(HealthCheck::Kind::kTcp, port);
  service.check.reach = true;
  world_.prober.Start(Now(), service, kHere);
  EXPECT_EQ(Result(), CheckResult::kFailed);
}

}  // namespace qure::test
