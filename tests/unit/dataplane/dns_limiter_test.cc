// A flood of one answer is cut to the rate; everybody else is left alone.
#include "dataplane/pipeline/dns_limiter.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/support/packets.h"

namespace qure::testing {
namespace {

constexpr uint64_t kSeed = 0x7e57;
constexpr DnsRateLimit kLimit = {.rate = 20, .slip = 0};
constexpr uint32_t kBurst = 20 * 2;  // kLimit for DnsLimiter::kBurst
constexpr uint64_t kSubject = 0x123456789abcdef;
using Fate = DnsLimiter::Fate;

class DnsLimiterTest : public ::testing::Test {
 protected:
  Fate Ask(const IpAddress& client, uint64_t subject = kSubject, Reason reason = Reason::dns_answer) {
    return limiter_->Judge(limit_, client, reason, subject, FlowTimeOf(now_));
  }
  // How many of `count` answers at one instant are sent.
  uint32_t Sent(const IpAddress& client, uint32_t count, uint64_t subject = kSubject,
                Reason reason = Reason::dns_answer) {
    uint32_t sent = 0;
    for (uint32_t i = 0; i < count; ++i) sent += Ask(client, subject, reason) == Fate::kSend ? 1 : 0;
    return sent;
  }
  // `count` fates, a letter each.
  std::string Pattern(uint32_t count) {
    std::string pattern;
    for (uint32_t i = 0; i < count; ++i) pattern += "stx"[static_cast<size_t>(Ask(kClient))];
    return pattern;
  }

  const IpAddress kClient = Ip4("203.0.113.7");
  DnsRateLimit limit_ = kLimit;
  std::optional<DnsLimiter> limiter_{kSeed};
  MonoTime now_{Seconds(100'000).ns};
};

}  // namespace

TEST_F(DnsLimiterTest, ABurstPassesAndAFloodIsCutToTheRate) {
  EXPECT_EQ(Sent(kClient, 1000), kBurst);
  uint32_t sent = 0;
  for (int step = 0; step < 100; ++step) {  // 10 s at 1,000 a second
    now_ = now_ + Milliseconds(100);
    sent += Sent(kClient, 100);
  }
  EXPECT_NEAR(sent, 200, 2);
}

// Many names of others are not one thing, and no errors.
TEST_F(DnsLimiterTest, CachedAnswersCountByName) {
  EXPECT_EQ(Sent(kClient, 1000, 0, Reason::dns_refused), kBurst);
  EXPECT_EQ(Sent(kClient, 1000, 1, Reason::dns_cached), kBurst);
  EXPECT_EQ(Sent(kClient, 1000, 2, Reason::dns_cached), kBurst);
}

TEST_F(DnsLimiterTest, EveryRateIsKept) {
  for (const uint32_t rate : {1U, 3U, 200U, 10'000U}) {
    limit_.rate = rate;
    now_ = now_ + Seconds(60);
    EXPECT_NEAR(Sent(kClient, 3 * rate), 2 * rate, 1 + rate / 1000) << rate;
    now_ = now_ + Seconds(1);
    EXPECT_NEAR(Sent(kClient, 3 * rate), rate, 1 + rate / 10) << rate;  // a tick is 67 ms
  }
}

TEST_F(DnsLimiterTest, WhoStaysWithinTheRateIsNeverLimited) {
  for (int i = 0; i < 2000; ++i) {
    ASSERT_EQ(Ask(kClient), Fate::kSend) << i;
    now_ = now_ + Milliseconds(51);
  }
}

TEST_F(DnsLimiterTest, ABucketFillsAgain) {
  EXPECT_EQ(Sent(kClient, 1000), kBurst);
  now_ = now_ + Seconds(3);
  EXPECT_EQ(Sent(kClient, 1000), kBurst) << "and no further";
}

TEST_F(DnsLimiterTest, SomeOfTheAnswersBeyondTheLimitSlip) {
  EXPECT_EQ(Sent(kClient, kBurst), kBurst);
  EXPECT_EQ(Pattern(4), "xxxx");
  limit_.slip = 1;
  EXPECT_EQ(Pattern(4), "tttt");
  limiter_.emplace(kSeed);
  limit_.slip = 2;
  EXPECT_EQ(Sent(kClient, kBurst), kBurst);
  EXPECT_EQ(Pattern(6), "txtxtx") << "the first one slips: an honest client need not wait";
  limiter_.emplace(kSeed);
  limit_.slip = 3;
  EXPECT_EQ(Sent(kClient, kBurst), kBurst);
  EXPECT_EQ(Pattern(7), "txxtxxt");
}

TEST_F(DnsLimiterTest, ANetworkIsCountedTogether) {
  EXPECT_EQ(Sent(Ip4("203.0.113.1"), kBurst), kBurst);
  EXPECT_EQ(Ask(Ip4("203.0.113.254")), Fate::kDrop);
  EXPECT_EQ(Ask(Ip4("203.0.112.1")), Fate::kSend);
  EXPECT_EQ(Sent(Ip6("2001:db8:0:ff00::1"), kBurst), kBurst);
  EXPECT_EQ(Ask(Ip6("2001:db8:0:ffff:8000::")), Fate::kDrop);
  EXPECT_EQ(Ask(Ip6("2001:db8:0:fe00::1")), Fate::kSend);
  EXPECT_EQ(Ask(Ip6("cb00:7100::")), Fate::kSend) << "the bytes of 203.0.113.0";
}

// Behind one address are many users: together they ask for many names.
TEST_F(DnsLimiterTest, ManyNamesFromOneAddressAreNoFlood) {
  for (uint64_t name = 1; name <= 5000; ++name) {
    ASSERT_EQ(Ask(kClient, name * 0x9e3779b97f4a7c15), Fate::kSend) << name;
    if (name % 100 == 0) now_ = now_ + Milliseconds(10);
  }
}

TEST_F(DnsLimiterTest, KindsOfAnswersAreCountedApart) {
  EXPECT_EQ(Sent(kClient, 1000, kSubject, Reason::dns_nxdomain), kBurst);
  EXPECT_EQ(Ask(kClient, kSubject, Reason::dns_nodata), Fate::kDrop) << "what a zone does not have is one thing";
  EXPECT_EQ(Sent(kClient, 1000, kSubject, Reason::dns_answer), kBurst);
  EXPECT_EQ(Ask(kClient, kSubject, Reason::dns_truncated), Fate::kDrop) << "the same records";
  EXPECT_EQ(Sent(kClient, 1000, kSubject, Reason::dns_referral), kBurst);
  EXPECT_EQ(Sent(kClient, 1000, 0, Reason::dns_refused), kBurst);
  EXPECT_EQ(Ask(kClient, 0, Reason::dns_format_error), Fate::kDrop) << "an error is an error";
}

// A client that forges sources fills the table, but neither escapes the limit nor costs others an answer.
TEST_F(DnsLimiterTest, AMillionNetworksDoNotHideAFlood) {
  EXPECT_EQ(Sent(kClient, 1000), kBurst);
  for (uint32_t i = 0; i < 1'000'000; ++i) {
    const Ipv4Address other{
        {static_cast<uint8_t>(11 + (i >> 16)), static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i), 1}};
    ASSERT_EQ(Ask(other), Fate::kSend) << i;
  }
  EXPECT_EQ(Ask(kClient), Fate::kDrop);
}

TEST_F(DnsLimiterTest, ALongSilenceIsNoDebt) {
  EXPECT_EQ(Sent(kClient, 1000), kBurst);
  now_ = MonoTime{Seconds(8LL * 365 * 86'400).ns};
  EXPECT_EQ(Sent(kClient, 1000), kBurst);
}

}  // namespace qure::testing
