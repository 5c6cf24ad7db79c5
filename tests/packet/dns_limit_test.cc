// The rate limit in the pipeline: what a flood gets, and who is spared.
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "proto/dns/cookie.h"
#include "proto/dns/message.h"
#include "tests/support/harness.h"

namespace qure::testing {
namespace {

constexpr uint32_t kRate = 5;
constexpr uint32_t kBurst = kRate * 2;  // for DnsLimiter::kBurst
const Ipv4Address kLanHost = Ip4("198.51.100.77");

Bytes Query4(const Ipv4Address& source, const Dns& dns) {
  return Build(Ether{kServiceMac4, kGatewayMac, 0x0800},
               Build(Ip4Header{.source = source, .destination = kService4, .protocol = 17},
                     Udp(source, kService4, 40000, 53, Build(dns))));
}
Bytes Reply4(const Ipv4Address& source, const Bytes& message) {
  return Build(Ether{kGatewayMac, kServiceMac4, 0x0800},
               Build(Ip4Header{.source = kService4, .destination = source, .protocol = 17},
                     Udp(kService4, source, 53, 40000, message)));
}
Bytes Query6(const Ipv6Address& source, const Dns& dns) {
  return Build(Ether{kServiceMac6, kGatewayMac, 0x86dd},
               Build(Ip6Header{source, kService6, 17}, Udp(source, kService6, 40000, 53, Build(dns))));
}

class DnsLimitTest : public ::testing::Test {
 protected:
  DnsLimitTest() : snapshot_(SiteSnapshot()) {
    snapshot_.dns_limit = {.rate = kRate, .slip = 2};
    auto authority = std::make_shared<DnsAuthority>(*snapshot_.dns);
    authority->lan = LanHosts({{kLanHost, 24}}, snapshot_.gateways);
    snapshot_.dns = std::move(authority);
  }

  Outcome Ask(const Bytes& frame) {
    FlowTable table(kFlows, kFlowSeed);
    const WorkerMemory memory{
        .flows = {.table = &table}, .dns = {.limiter = &limiter_, .queries = &queries_}, .now = FlowTimeOf(now_)};
    return Process(snapshot_, memory, Direction::kFromLan, frame);
  }
  // What becomes of `count` of the same query.
  std::map<std::string_view, uint32_t> Flood(const Bytes& frame, uint32_t count) {
    std::map<std::string_view, uint32_t> reasons;
    for (uint32_t i = 0; i < count; ++i) ++reasons[NameOf(Ask(frame).reason)];
    return reasons;
  }

  Snapshot snapshot_;
  DnsLimiter limiter_{kFlowSeed};
  DnsQueryLog queries_;
  MonoTime now_{Seconds(1000).ns};
};

using Counted = std::map<std::string_view, uint32_t>;
const Dns kQuestion{.name = "www.home.example", .edns_payload = 1232};

}  // namespace

TEST_F(DnsLimitTest, AFloodGetsTheRateAndSomeTruncatedAnswers) {
  const Bytes query = Query4(kClient4, kQuestion);
  EXPECT_EQ(Flood(query, 100), (Counted{{"dns_answer", kBurst}, {"dns_slipped", 45}, {"dns_limited", 45}}));
  now_ = now_ + Seconds(1);
  EXPECT_EQ(Flood(query, 100).at("dns_answer"), kRate);
}

TEST_F(DnsLimitTest, WhatSlipsIsEmptyAndTruncatedAndKeepsItsOpt) {
  Dns big{.name = "ns1.home.example", .edns_payload = 1232, .dnssec_ok = true};
  Flood(Query4(kClient4, big), kBurst);
  const Outcome slipped = Ask(Query4(kClient4, big));
  EXPECT_EQ(NameOf(slipped.reason), "dns_slipped");
  EXPECT_EQ(slipped.frame, Reply4(kClient4, Concat({DnsHeaderBytes(big.id, 0x8700, 1, 0, 0, 1),
                                                    Question(big.name, big.type), AnswerOpt(0, true)})));

  const Dns plain{.name = "nope.home.example"};
  Flood(Query4(kClient4, plain), kBurst);
  EXPECT_EQ(Ask(Query4(kClient4, plain)).frame,
            Reply4(kClient4, Concat({DnsHeaderBytes(plain.id, 0x8703, 1, 0, 0, 0), Question(plain.name, plain.type)})));
}

TEST_F(DnsLimitTest, QueriesAreLoggedWithWhatBecameOfThem) {
  snapshot_.dns_log_every = 1;
  Flood(Query4(kClient4, kQuestion), kBurst + 2);
  Ask(Query6(kClient6, {.name = "No.Home.Example", .type = kDnsTypeAaaa}));
  std::vector<std::string> samples;
  for (const DnsSample& sample : queries_.Take()) samples.push_back(ToString(sample));
  ASSERT_EQ(samples.size(), kBurst + 3);
  const std::string client4 = ToString(IpAddress(kClient4));
  EXPECT_EQ(samples[0], client4 + " www.home.example. A dns_answer");
  EXPECT_EQ(std::count(samples.begin(), samples.end(), client4 + " www.home.example. A dns_slipped"), 1);
  EXPECT_EQ(std::count(samples.begin(), samples.end(), client4 + " www.home.example. A dns_limited"), 1);
  EXPECT_EQ(samples.back(), ToString(IpAddress(kClient6)) + " No.Home.Example. AAAA dns_nxdomain");
}

TEST_F(DnsLimitTest, OverIPv6) {
  EXPECT_EQ(Flood(Query6(kClient6, kQuestion), 100),
            (Counted{{"dns_answer", kBurst}, {"dns_slipped", 45}, {"dns_limited", 45}}));
}

TEST_F(DnsLimitTest, ErrorsHaveNothingToTruncate) {
  const Dns foreign{.name = "example.com"};
  EXPECT_EQ(Flood(Query4(kClient4, foreign), 100), (Counted{{"dns_refused", kBurst + 45}, {"dns_limited", 45}}));
}

TEST_F(DnsLimitTest, MadeUpNamesOfAZoneOrAWildcardAreOneThing) {
  uint32_t missing = 0;
  uint32_t wild = 0;
  for (uint32_t i = 0; i < 100; ++i) {
    const std::string label = "r" + std::to_string(i);
    const Dns nope{.name = label + ".home.example"};
    const Dns any{.name = label + ".apps.home.example"};
    missing += Ask(Query4(kClient4, nope)).reason == Reason::dns_nxdomain ? 1 : 0;
    wild += Ask(Query4(kClient4, any)).reason == Reason::dns_answer ? 1 : 0;
  }
  EXPECT_EQ(missing, kBurst);
  EXPECT_EQ(wild, kBurst);
}

// Users behind one address ask for what they need: different names, and now and then what does not exist.
TEST_F(DnsLimitTest, ABusyNetworkIsNoFlood) {
  const Dns questions[] = {{.name = "www.home.example"},      {.name = "ns1.home.example"},
                           {.name = "deep.ent.home.example"}, {.name = "home.example", .type = kDnsTypeNs},
                           {.name = "branch.home.example"},   {.name = "alias.home.example"},
                           {.name = "WWW.home.example"}};
  for (int i = 0; i < 1000; ++i) {
    for (const Dns& question : questions) {
      ASSERT_EQ(VerdictOf(Ask(Query4(kClient4, question)).reason), Verdict::kAnswer) << question.name;
      if (i % 2 == 0) continue;
      const Ipv4Address neighbor{{203, 0, 113, static_cast<uint8_t>(i)}};
      ASSERT_NE(Ask(Query4(neighbor, question)).reason, Reason::dns_slipped) << question.name;
    }
    now_ = now_ + Milliseconds(700);
  }
}

TEST_F(DnsLimitTest, HostsOfTheLanAreSpared) {
  EXPECT_EQ(Flood(Query4(kLanHost, kQuestion), 1000), (Counted{{"dns_answer", 1000}}));
}

TEST_F(DnsLimitTest, AClientWithACookieIsSparedEvenInAFlood) {
  const Bytes flood = Query4(kClient4, kQuestion);
  Flood(flood, 1000);
  const DnsClientCookie client = {1, 2, 3, 4, 5, 6, 7, 8};
  Dns known = kQuestion;
  known.options = Concat({{0, 10, 0, 24}, Bytes(client.begin(), client.end())});
  const auto time = static_cast<uint32_t>(kUnixTime + SecondsOf(FlowTimeOf(now_)));
  const DnsServerCookie server = MakeDnsCookie(kCookieSecret, client, kClient4, time);
  known.options.insert(known.options.end(), server.begin(), server.end());
  EXPECT_EQ(Flood(Query4(kClient4, known), 1000), (Counted{{"dns_answer", 1000}}));
  known.options.back() ^= 1;
  EXPECT_EQ(Flood(Query4(kClient4, known), 1000).count("dns_answer"), 0U) << "a forged cookie proves nothing";
}

TEST_F(DnsLimitTest, ZeroIsNoLimit) {
  snapshot_.dns_limit.rate = 0;
  EXPECT_EQ(Flood(Query4(kClient4, kQuestion), 1000), (Counted{{"dns_answer", 1000}}));
}

}  // namespace qure::testing
