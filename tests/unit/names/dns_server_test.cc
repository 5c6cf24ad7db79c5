// Over loopback sockets.
#include "control/names/dns_server.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>

#include <asio/connect.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>

#include "control/names/address.h"
#include "control/names/clock.h"
#include "proto/dns/cookie.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"
#include "proto/dns/zone_builder.h"
#include "tests/support/dns_reader.h"
#include "tests/support/harness.h"
#include "tests/support/packets.h"

namespace qure::test {
namespace {

using asio::ip::tcp;
using asio::ip::udp;
using testing::Build;
using testing::Bytes;
using testing::Dns;
using testing::ReadDns;

const IpAddress kHere = *ParseIp("127.0.0.1");
const IpAddress kHere6 = *ParseIp("::1");

class DnsServerTest : public ::testing::Test {
 protected:
  DnsServerTest() { server_.Serve(testing::SiteSnapshot().dns, {kHere, kHere6}); }

  tcp::socket Connect(size_t listener = 0) {
    tcp::socket client(clients_);
    client.connect(server_.listening().at(listener));
    ++connections_;
    RunUntil([&] { return server_.counters().connections == connections_; });
    return client;
  }

  // Drives the server until `done`; an error after `patience`.
  template <typename Condition>
  void RunUntil(const Condition& done, std::chrono::seconds patience = std::chrono::seconds(5)) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      io_.run_one_for(std::chrono::milliseconds(10));
    }
  }

  static Bytes Framed(const Bytes& message) {
    Bytes framed = {static_cast<uint8_t>(message.size() >> 8), static_cast<uint8_t>(message.size())};
    framed.insert(framed.end(), message.begin(), message.end());
    return framed;
  }

  // The next whole answer on the connection.
  Bytes Receive(tcp::socket* client) {
    const auto whole = [&](size_t bytes) { RunUntil([&] { return client->available() >= bytes; }); };
    whole(2);
    uint8_t length[2];
    asio::read(*client, asio::buffer(length));
    Bytes message(static_cast<size_t>(length[0]) << 8 | length[1]);
    whole(message.size());
    asio::read(*client, asio::buffer(message));
    return message;
  }

  bool Closed(tcp::socket* client) {
    client->non_blocking(true);
    asio::error_code error;
    RunUntil([&] {
      uint8_t byte = 0;
      error.clear();
      client->read_some(asio::buffer(&byte, 1), error);
      return error && error != asio::error::would_block;
    });
    return error == asio::error::eof || error == asio::error::connection_reset;
  }

  asio::io_context io_;
  asio::io_context clients_;
  DnsServer server_{io_, [](const DnsQuestion&, const DnsServer::Give&) { FAIL() << "nothing is forwarded here"; }, 0};
  uint64_t connections_ = 0;
  const DnsCookieSecret server_secret_ = testing::SiteSnapshot().dns->cookie_secrets.at(0);
};

const Dns kWww{.name = "www.home.example", .type = 1};

TEST_F(DnsServerTest, AnswersOverTcpInBothFamilies) {
  for (const size_t listener : {0, 1}) {
    tcp::socket client = Connect(listener);
    asio::write(client, asio::buffer(Framed(Build(kWww))));
    const auto answer = ReadDns(Receive(&client));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->question, "www.home.example.");
    EXPECT_EQ(answer->answers.size(), 1u);
  }
}

TEST_F(DnsServerTest, AnswersQueriesThatComeTogetherOrInPieces) {
  tcp::socket client = Connect();
  Bytes queries;
  constexpr uint16_t kCount = 200;  // more than may wait to be sent
  for (uint16_t id = 0; id < kCount; ++id) {
    Dns query = kWww;
    query.id = id;
    const Bytes framed = Framed(Build(query));
    queries.insert(queries.end(), framed.begin(), framed.end());
  }
  const size_t half = queries.size() / 2 + 1;  // within a message
  asio::write(client, asio::buffer(queries.data(), half));
  RunUntil([&] { return client.available() > 0; });
  asio::write(client, asio::buffer(queries.data() + half, queries.size() - half));
  for (uint16_t id = 0; id < kCount; ++id) {
    const Bytes answer = Receive(&client);
    EXPECT_EQ(answer[0] << 8 | answer[1], id);
  }
}

TEST_F(DnsServerTest, AnswersQueriesFromBeforeTheEndOfTheStream) {
  tcp::socket client = Connect();
  asio::write(client, asio::buffer(Framed(Build(kWww))));
  client.shutdown(tcp::socket::shutdown_send);
  EXPECT_TRUE(ReadDns(Receive(&client)));
  EXPECT_TRUE(Closed(&client));
  EXPECT_EQ(server_.counters().open, 0u);
}

TEST_F(DnsServerTest, ClosesAfterAnInvalidQuery) {
  const Bytes response = [] {
    Dns query = kWww;
    query.flags = 0x8100;
    return Framed(Build(query));
  }();
  for (const Bytes& nonsense : {response, Framed({1, 2, 3}), Bytes{0xff, 0xff, 1}}) {
    tcp::socket client = Connect();
    asio::write(client, asio::buffer(nonsense));
    EXPECT_TRUE(Closed(&client));
  }
  EXPECT_EQ(server_.counters().cut_off, 3u);
}

TEST_F(DnsServerTest, ClosesTheLongestSilentConnectionForANewOne) {
  std::vector<tcp::socket> clients;
  for (size_t i = 0; i < DnsServer::kMostConnections; ++i) clients.push_back(Connect());
  asio::write(clients[0], asio::buffer(Framed(Build(kWww))));
  EXPECT_TRUE(ReadDns(Receive(&clients[0])));  // now the second one has been silent longest
  tcp::socket one_more = Connect();
  EXPECT_TRUE(Closed(&clients[1]));
  EXPECT_EQ(server_.counters().open, DnsServer::kMostConnections);
  asio::write(clients[0], asio::buffer(Framed(Build(kWww))));
  EXPECT_TRUE(ReadDns(Receive(&clients[0])));
}

// Clients that ask for much and fetch nothing.
class BigAnswers : public DnsServerTest {
 public:
  static constexpr size_t kAnswer = 12'000;
  static constexpr size_t kQuestions = 8 * DnsServer::kMostWaiting;  // the kernel's buffers take the answers of many

  void TestBody() override {}
  using DnsServerTest::io_;
  using DnsServerTest::Receive;
  using DnsServerTest::RunUntil;
  using DnsServerTest::server_;

  BigAnswers() {
    const std::string apex = *DnsNameToWire("big.example");
    DnsZoneBuilder zone(apex, 0);
    zone.Add({.name = apex, .type = kDnsTypeSoa, .ttl = 60, .rdata = apex + apex + std::string(20, '\1')});
    std::string text;
    while (text.size() < kAnswer - 256) text += static_cast<char>(255) + std::string(255, 'x');
    zone.Add({.name = apex, .type = kDnsTypeTxt, .ttl = 60, .rdata = text});
    server_.Serve(std::make_shared<const DnsAuthority>(
                      DnsAuthority{.zones = DnsZones({std::make_shared<const DnsZone>(zone.Build())})}),
                  {kHere, kHere6});
  }
  tcp::socket Ask() {
    const tcp::endpoint there = server_.listening().at(0);
    tcp::socket client(clients_, there.protocol());
    client.set_option(asio::socket_base::receive_buffer_size(32'768));
    client.connect(there);
    ++connections_;
    RunUntil([&] { return server_.counters().connections == connections_; });
    Bytes queries;
    for (size_t i = 0; i < kQuestions; ++i) {
      const Bytes query = Framed(Build(Dns{.name = "big.example", .type = kDnsTypeTxt}));
      queries.insert(queries.end(), query.begin(), query.end());
    }
    asio::write(client, asio::buffer(queries));
    return client;
  }
};

TEST(FieldE16, AConnectionThatFetchesNothingIsReadNoMore) {
  BigAnswers big;
  DnsServer& server = big.server_;
  tcp::socket client = big.Ask();
  big.RunUntil([&] { return server.unsent() >= DnsServer::kMostUnsentOfOne; });
  big.io_.run_for(std::chrono::milliseconds(50));  // whatever it would do next
  EXPECT_LT(server.unsent(), DnsServer::kMostUnsentOfOne + kDnsStreamPayload);
  for (size_t i = 0; i < BigAnswers::kQuestions; ++i)
    EXPECT_GT(big.Receive(&client).size(), BigAnswers::kAnswer / 2) << i;
  big.RunUntil([&] { return server.unsent() == 0; });
  EXPECT_EQ(server.counters().cut_off, 0u);
}

TEST(FieldE16, AnswersThatNobodyFetchesAreBoundedForAll) {
  BigAnswers big;
  DnsServer& server = big.server_;
  std::vector<tcp::socket> clients;
  for (size_t i = 0; i < DnsServer::kMostConnections && server.counters().cut_off == 0; ++i) {
    clients.push_back(big.Ask());
    ASSERT_LE(server.unsent(), DnsServer::kMostUnsent);
  }
  big.RunUntil([&] { return server.counters().cut_off > 0; }, std::chrono::seconds(60));
  EXPECT_LE(server.unsent(), DnsServer::kMostUnsent);
  clients.clear();
  big.RunUntil([&] { return server.counters().open == 0; });
  EXPECT_EQ(server.unsent(), 0u);
}

TEST_F(DnsServerTest, AnswersDatagrams) {
  const tcp::endpoint there = server_.listening().at(0);
  udp::socket client(clients_, udp::endpoint(there.address(), 0));
  client.send_to(asio::buffer(Build(kWww)), udp::endpoint(there.address(), there.port()));
  RunUntil([&] { return client.available() > 0; });
  Bytes message(client.available());
  client.receive(asio::buffer(message));
  const auto answer = ReadDns(message);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->answers.size(), 1u);
}

// Datagrams here are not rate-limited, and their source may be forged.
TEST_F(DnsServerTest, ADatagramWithoutACookieGetsATruncatedAnswer) {
  const auto listening = server_.listening();
  const tcp::endpoint there = *std::ranges::find_if(listening, [](const auto& at) { return at.address().is_v4(); });
  udp::socket client(clients_, udp::endpoint(asio::ip::make_address("127.0.0.2"), 0));
  const auto ask = [&](const Dns& query) {
    client.send_to(asio::buffer(Build(query)), udp::endpoint(there.address(), there.port()));
    RunUntil([&] { return client.available() > 0; });
    Bytes message(client.available());
    client.receive(asio::buffer(message));
    return message;
  };
  const auto cut = ReadDns(ask(kWww));
  ASSERT_TRUE(cut);
  EXPECT_TRUE((cut->flags & kDnsFlagTruncated) != 0);
  EXPECT_TRUE(cut->answers.empty());

  const IpAddress own = *ParseIp("127.0.0.2");
  const Bytes client_cookie = {1, 2, 3, 4, 5, 6, 7, 8};
  const DnsServerCookie server_cookie =
      MakeDnsCookie(server_secret_, client_cookie, own, static_cast<uint32_t>(UnixNow()));
  Bytes option = {0, kDnsOptionCookie, 0, static_cast<uint8_t>(client_cookie.size() + server_cookie.size())};
  option.insert(option.end(), client_cookie.begin(), client_cookie.end());
  option.insert(option.end(), server_cookie.begin(), server_cookie.end());
  Dns proven = kWww;
  proven.edns_payload = 1232;
  proven.options = option;
  const Bytes whole = ask(proven);
  EXPECT_EQ(whole[7], 1) << "answers";
  EXPECT_EQ(whole[2] & (kDnsFlagTruncated >> 8), 0);
}

TEST_F(DnsServerTest, WithoutFreeFileDescriptorsItPausesAndContinuesLater) {
  ASSERT_TRUE(ReadDns([&] {
    tcp::socket client = Connect();
    asio::write(client, asio::buffer(Framed(Build(kWww))));
    return Receive(&client);
  }()));
  tcp::socket client(clients_);
  client.connect(server_.listening().at(0));
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const size_t woken = io_.run_for(std::chrono::milliseconds(250));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(server_.counters().connections, 1u);
  EXPECT_LT(woken, 20u);
  asio::write(client, asio::buffer(Framed(Build(kWww))));
  EXPECT_TRUE(ReadDns(Receive(&client)));
}

TEST_F(DnsServerTest, TriesAgainToListenAtATakenAddress) {
  tcp::acceptor stream(clients_, tcp::endpoint(ToAsio(kHere), 0));
  const uint16_t port = stream.local_endpoint().port();
  udp::socket datagrams(clients_, udp::endpoint(ToAsio(kHere6), port));
  DnsServer server(
      io_, [](const DnsQuestion&, const DnsServer::Give&) {}, port);
  const IpAddress free = *ParseIp("127.0.0.2");
  ::testing::internal::CaptureStderr();
  for (int i = 0; i < 2; ++i) server.Serve(testing::SiteSnapshot().dns, {kHere, kHere6, free});
  const std::string logged = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::ranges::count(logged, '\n'), 2) << logged;  // one line for each address
  EXPECT_NE(logged.find("cannot listen at 127.0.0.1 port"), std::string::npos) << logged;
  EXPECT_NE(logged.find("cannot listen at ::1 port"), std::string::npos) << logged;
  ASSERT_EQ(server.listening().size(), 1u);
  EXPECT_EQ(server.listening()[0].address(), ToAsio(free));

  stream.close();
  datagrams.close();
  RunUntil([&] { return server.listening().size() == 3; }, std::chrono::seconds(20));
  for (const tcp::endpoint& there : server.listening()) {
    tcp::socket client(clients_);
    client.connect(there);
    asio::write(client, asio::buffer(Framed(Build(kWww))));
    EXPECT_TRUE(ReadDns(Receive(&client)));
  }
}

TEST_F(DnsServerTest, SamplesAreLoggedWithoutAnyOtherEvent) {
  server_.LogEvery(1);
  tcp::socket client = Connect();
  for (int i = 0; i < 2; ++i) {  // the second time starts the timer again
    std::string logged;
    ::testing::internal::CaptureStderr();
    asio::write(client, asio::buffer(Framed(Build(kWww))));
    EXPECT_TRUE(ReadDns(Receive(&client)));
    RunUntil([&] {
      logged += ::testing::internal::GetCapturedStderr();
      ::testing::internal::CaptureStderr();
      return !logged.empty();
    });
    ::testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::ranges::count(logged, '\n'), 1) << logged;
    EXPECT_NE(logged.find(" www.home.example. A dns_answer\n"), std::string::npos) << logged;
  }
}

TEST_F(DnsServerTest, WithoutAnAuthorityItClosesEverything) {
  tcp::socket client = Connect();
  const tcp::endpoint there = server_.listening().at(0);
  server_.Serve(nullptr, {kHere});
  EXPECT_TRUE(Closed(&client));
  asio::error_code refused;
  tcp::socket another(clients_);
  another.connect(there, refused);
  EXPECT_EQ(refused, asio::error::connection_refused);
}

}  // namespace
}  // namespace qure::test
