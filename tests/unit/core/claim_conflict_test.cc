// A held address that someone else uses (RFC 5227 §2.4).
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

class ClaimConflictTest : public ::testing::TestWithParam<Family> {
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

INSTANTIATE_TEST_SUITE_P(Families, ClaimConflictTest, ::testing::Values(FamilyV4(), FamilyV6()),
                         [](const auto& test) { return test.param.name; });

TEST_P(ClaimConflictTest, IsDefendedOnceWithOneFrame) {
  Hold({family().prefix});
  node_.HearUsed(family().ip, Stranger());
  EXPECT_EQ(node_.claim().state, ClaimState::kHeld);
  EXPECT_EQ(node_.claim().conflicts, 1);
  EXPECT_EQ(node_.claim().defenses, 1);
  EXPECT_THAT(node_.Sent(node_.now()), ElementsAre("+0 ms: " + family().announcement));
  EXPECT_THAT(node_.Logs(LogLevel::kWarning), ElementsAre(HasSubstr("used by 00:00:5e:00:53:aa")));
}

TEST_P(ClaimConflictTest, SecondWithinTheIntervalYields) {
  Hold({family().prefix});
  node_.HearUsed(family().ip, Stranger());
  node_.RunFor(kDefendInterval);
  node_.Forget();
  node_.HearUsed(family().ip, Stranger());
  EXPECT_EQ(node_.claim().state, ClaimState::kTaken);
  EXPECT_EQ(node_.claim().holder, Stranger());
  EXPECT_EQ(node_.claim().conflicts, 2);
  EXPECT_EQ(node_.claim().defenses, 1);
  EXPECT_THAT(node_.Described(),
              ElementsAre("shut gate", absl::StrCat("snapshot 3: watching ", family().ip), "host addresses: ",
                          absl::StrCat("log: ", family().ip, " is held by 00:00:5e:00:53:aa; trying again in 10 s")));
}

TEST_P(ClaimConflictTest, SecondFrameOfABurstIsASecondConflict) {
  Hold({family().prefix});
  node_.HearUsed(family().ip, Stranger());
  node_.HearUsed(family().ip, Stranger());
  EXPECT_EQ(node_.claim().state, ClaimState::kTaken);
}

TEST_P(ClaimConflictTest, LaterIsDefendedAgain) {
  Hold({family().prefix});
  for (int i = 1; i <= 5; ++i) {
    node_.HearUsed(family().ip, Stranger());
    EXPECT_EQ(node_.claim().state, ClaimState::kHeld);
    EXPECT_EQ(node_.claim().defenses, i);
    node_.RunFor(kDefendInterval + Milliseconds(1));
  }
}

TEST_P(ClaimConflictTest, YieldedAddressIsSilentThenProbedAgain) {
  Hold({family().prefix});
  node_.HearUsed(family().ip, Stranger());
  node_.HearUsed(family().ip, Stranger());
  const MonoTime yielded = node_.now();
  node_.Forget();
  EXPECT_GE(node_.deadline() - yielded, Seconds(8));
  EXPECT_LE(node_.deadline() - yielded, Seconds(12));
  node_.RunUntilState(ClaimState::kProbing);
  EXPECT_THAT(node_.Sent(yielded), IsEmpty());
  node_.RunUntilState(ClaimState::kHeld);
  EXPECT_TRUE(node_.Serves(family().ip));

  // The old conflicts are forgotten with the old claim, and a new loss is news.
  node_.Forget();
  node_.HearUsed(family().ip, Stranger());
  EXPECT_EQ(node_.claim().state, ClaimState::kHeld);
  node_.HearUsed(family().ip, Stranger());
  EXPECT_EQ(node_.Logs(LogLevel::kWarning).size(), 2);
}

TEST_P(ClaimConflictTest, YieldGoesToTheNextCandidateAndRound) {
  Hold({family().prefix, family().other_prefix});
  node_.HearUsed(family().ip, Stranger());
  node_.HearUsed(family().ip, Stranger());
  EXPECT_EQ(node_.claim().state, ClaimState::kProbing);
  EXPECT_EQ(node_.claim().address, Prefix(family().other_prefix));
  EXPECT_FALSE(node_.gate_open());
  node_.RunUntilState(ClaimState::kHeld);
  EXPECT_TRUE(node_.Serves(family().other_ip));

  node_.HearUsed(family().other_ip, Stranger());
  node_.HearUsed(family().other_ip, Stranger());
  EXPECT_EQ(node_.claim().state, ClaimState::kProbing) << "the first candidate has not been tried in this round";
  EXPECT_EQ(node_.claim().address, Prefix(family().prefix));
  node_.HearUsed(family().ip, Stranger());
  EXPECT_EQ(node_.claim().state, ClaimState::kTaken);
}

TEST_P(ClaimConflictTest, ProbesEchoesAndTheClusterAreNone) {
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
