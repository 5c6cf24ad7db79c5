// A held address that someone else uses: it is never given up (RFC 5227 §2.4 c).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "control/core/timers.h"
#include "tests/unit/core/support.h"

namespace qure::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FieldE5 : public ::testing::TestWithParam<Family> {
 protected:
  const Family& family() const { return GetParam(); }

  // Holds the first of `candidates`, its first announcements made.
  void Hold(const std::vector<std::string_view>& candidates) {
    node_.Configure(MakeConfig({candidates}));
    node_.RunUntilState(ClaimState::kHeld);
    node_.RunFor(Seconds(5));
    node_.Forget();
  }

  Node node_;
};

INSTANTIATE_TEST_SUITE_P(Families, FieldE5, ::testing::Values(FamilyV4(), FamilyV6()),
                         [](const auto& test) { return test.param.name; });

TEST_P(FieldE5, IsDefendedWithOneFrame) {
  Hold({family().prefix});
  node_.HearUsed(family().ip, Stranger());
  EXPECT_EQ(node_.claim().state, ClaimState::kHeld);
  EXPECT_EQ(node_.claim().conflicts, 1);
  EXPECT_EQ(node_.claim().defenses, 1);
  EXPECT_EQ(node_.claim().rival, Stranger());
  EXPECT_THAT(node_.Sent(node_.now()), ElementsAre("+0 ms: " + family().announcement));
  EXPECT_THAT(node_.Logs(LogLevel::kWarning), ElementsAre(HasSubstr("used by 00:00:5e:00:53:aa")));
}

// RFC 5227 §2.4 (c): for ever, with one announcement in DEFEND_INTERVAL, however often the other one speaks.
TEST_P(FieldE5, IsDefendedForEverAtTheRateOfTheRfc) {
  Hold({family().prefix, family().other_prefix});
  const MonoTime began = node_.now();
  uint64_t conflicts = 0;
  while (node_.now() - began < Seconds(120)) {
    node_.HearUsed(family().ip, Stranger());
    ++conflicts;
    ASSERT_EQ(node_.claim().state, ClaimState::kHeld);
    ASSERT_TRUE(node_.gate_open());
    ASSERT_TRUE(node_.Serves(family().ip));
    node_.RunFor(Milliseconds(333));
  }
  EXPECT_EQ(node_.claim().address, Prefix(family().prefix));
  EXPECT_EQ(node_.claim().conflicts, conflicts);
  EXPECT_LE(node_.claim().defenses, 12U);
  EXPECT_GE(node_.claim().defenses, 11U);
  EXPECT_EQ(node_.Logs(LogLevel::kWarning).size(), 1) << "said once";
}

TEST_P(FieldE5, TheContestEndsWhenTheOtherIsGone) {
  Hold({family().prefix});
  node_.HearUsed(family().ip, Stranger());
  node_.RunFor(kContested - Milliseconds(1));
  EXPECT_EQ(node_.claim().rival, Stranger());
  node_.Forget();
  node_.RunFor(Milliseconds(1));
  EXPECT_EQ(node_.claim().rival, std::nullopt);
  EXPECT_THAT(node_.Logs(LogLevel::kInfo), ElementsAre(HasSubstr("00:00:5e:00:53:aa")));
  node_.HearUsed(family().ip, Stranger2());
  EXPECT_EQ(node_.claim().rival, Stranger2()) << "a new one is news";
  EXPECT_EQ(node_.Logs(LogLevel::kWarning).size(), 1);
}

// The rival's frames lead the gateway astray, ours to it alone lead it back.
TEST_P(FieldE5, TheGatewayIsLedBackAtOnce) {
  ClusterConfig config = MakeConfig({{family().prefix}});
  config.gateways = {Ip(family().gateway)};
  node_.Configure(config);
  node_.RunUntilState(ClaimState::kHeld);
  node_.HearGateway(family().gateway, GatewayMac());
  node_.RunFor(Seconds(5));
  node_.HearUsed(family().ip, Stranger());
  node_.Forget();
  node_.RunFor(kConflictRepair);
  node_.HearUsed(family().ip, Stranger());
  EXPECT_THAT(node_.Sent(node_.now()), ElementsAre(HasSubstr("service>gateway: "), "+0 ms: " + family().ask_gateway));
  node_.HearUsed(family().ip, Stranger());
  EXPECT_EQ(node_.Sent(node_.now()).size(), 2) << "no more often";
  node_.HearGateway(family().gateway, GatewayMac());
  EXPECT_TRUE(node_.claim().verified);
}

TEST_P(FieldE5, ProbesEchoesAndTheClusterAreNone) {
  Hold({family().prefix});
  for (int i = 0; i < 3; ++i) {
    node_.HearProbed(family().ip, Stranger());
    node_.HearUsed(family().ip, ServiceMacOf(family().ip));
    node_.HearUsed(family().ip, NodeMac(kNodeId, 0));
    node_.HearUsed(family().ip, LanMac());
    node_.HearUsed(family().other_ip, Stranger());
  }
  EXPECT_EQ(node_.claim().state, ClaimState::kHeld);
  EXPECT_EQ(node_.claim().conflicts, 0);
  EXPECT_THAT(node_.steps(), IsEmpty());
}

}  // namespace
}  // namespace qure::test
