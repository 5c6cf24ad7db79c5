// The parts of the election that have a state of their own.
#include <gtest/gtest.h>

#include "control/core/cluster/handover.h"
#include "control/core/cluster/term_reserve.h"
#include "control/core/timers.h"
#include "tests/unit/core/support.h"

namespace qure::test {
namespace {

TEST(TermReserve, NeverUsesWhatABootBeforeMayHaveUsed) {
  TermReserve reserve({.era = 3, .epoch = 65});
  EXPECT_EQ(reserve.Next(3, {.era = 3, .epoch = 7}), 65u);
  EXPECT_EQ(reserve.Next(3, {.era = 3, .epoch = 70}), 71u);
  EXPECT_EQ(reserve.Next(4, {.era = 3, .epoch = 70}), 1u);
}

TEST(TermReserve, AsksOnceAndClaimsWhenTheStoreHasAnswered) {
  TermReserve reserve({});
  EXPECT_FALSE(reserve.Reserve(3, 1, /*alone=*/false));
  EXPECT_FALSE(reserve.settled());
  const auto request = reserve.TakeRequest();
  ASSERT_TRUE(request);
  EXPECT_EQ(*request, (StoredEpochs{.era = 3, .epoch = 1 + kEpochBlock}));
  EXPECT_FALSE(reserve.Reserve(3, 1, false));
  EXPECT_FALSE(reserve.TakeRequest()) << "it is under way";
  reserve.OnStored(*request, true);
  EXPECT_TRUE(reserve.Reserve(3, 1, false));
  EXPECT_FALSE(reserve.TakeRequest()) << "there is plenty";
  EXPECT_TRUE(reserve.Reserve(3, 1 + kEpochBlock - kEpochLow, false));
  EXPECT_TRUE(reserve.TakeRequest()) << "few are left";
}

TEST(TermReserve, AStoreThatFailsDoesNotKeepTheAddressDown) {
  TermReserve reserve({});
  EXPECT_FALSE(reserve.Reserve(3, 1, false));
  reserve.OnStored(*reserve.TakeRequest(), false);
  EXPECT_TRUE(reserve.Reserve(3, 1, false));
  EXPECT_FALSE(reserve.settled());
}

TEST(FieldD5, AStoreThatTakesChangesAgainIsAskedAgain) {
  TermReserve reserve({});
  reserve.Reserve(1, 1, /*alone=*/false);
  reserve.OnStored(*reserve.TakeRequest(), false);
  reserve.Reserve(1, 1, /*alone=*/false);
  EXPECT_FALSE(reserve.TakeRequest().has_value());
  reserve.OnStoreRecovered();
  EXPECT_TRUE(reserve.Reserve(1, 2, /*alone=*/false)) << "a claim need not wait for the answer";
  const auto request = reserve.TakeRequest();
  ASSERT_TRUE(request.has_value());
  reserve.OnStored(*request, true);
  EXPECT_TRUE(reserve.settled());
  EXPECT_TRUE(reserve.Reserve(1, 2, /*alone=*/false));
}

TEST(TermReserve, ATermOfALaterEraDoesNotMakeOursFall) {
  TermReserve reserve({});
  reserve.Claim(3, 5);
  EXPECT_EQ(reserve.Next(3, {.era = 4, .epoch = 1}), 6u);
}

TEST(TermReserveDeathTest, TermsNeverFall) {
  TermReserve reserve({});
  reserve.Claim(3, 5);
  EXPECT_DEATH(reserve.Claim(3, 5), "check failed");
  EXPECT_DEATH(reserve.Claim(2, 9), "check failed");
}

constexpr NodeId kSuccessor{7};

TEST(Handover, AsksOnceTheSuccessorIsDeputyAndInformed) {
  Handover handover;
  handover.Begin(kStart, kSuccessor);
  EXPECT_EQ(handover.successor(), kSuccessor);
  EXPECT_EQ(handover.Advance(kStart, false, true), Handover::Step::kWait);
  EXPECT_EQ(handover.Advance(kStart, true, false), Handover::Step::kWait);
  EXPECT_FALSE(handover.asked());
  EXPECT_EQ(handover.Advance(kStart, true, true), Handover::Step::kAsk);
  EXPECT_TRUE(handover.asked());
  EXPECT_EQ(handover.Advance(kStart + kPrepareTimeout - Duration{1}, true, true), Handover::Step::kWait);
  EXPECT_EQ(handover.Advance(kStart + kPrepareTimeout, true, true), Handover::Step::kFail);
  EXPECT_FALSE(handover.under_way());
}

TEST(Handover, DoesNotWaitForeverForAnUninformedSuccessor) {
  Handover handover;
  handover.Begin(kStart, kSuccessor);
  EXPECT_EQ(handover.Advance(handover.deadline(), true, false), Handover::Step::kAsk);
  handover.Begin(kStart, kSuccessor);
  EXPECT_EQ(handover.Advance(handover.deadline(), false, false), Handover::Step::kFail);
}

TEST(Handover, YieldsAFewTimesAndAnswersForAWhile) {
  Handover handover;
  handover.Begin(kStart, kSuccessor);
  ASSERT_EQ(handover.Advance(kStart, true, true), Handover::Step::kAsk);
  handover.Yield(kStart, {.era = 1, .epoch = 4});
  EXPECT_FALSE(handover.under_way());
  int yields = 0;
  for (MonoTime now = kStart; now < kStart + kHandoverAnswers; now = now + Milliseconds(1)) {
    const auto yielded = handover.TakeYield(now);
    if (!yielded) continue;
    ++yields;
    EXPECT_EQ(yielded->successor, kSuccessor);
    EXPECT_EQ(yielded->term.epoch, 4u);
  }
  EXPECT_EQ(yields, kYields);
  EXPECT_TRUE(handover.answering());
  handover.Tick(kStart + kHandoverAnswers);
  EXPECT_FALSE(handover.answering());
  EXPECT_EQ(handover.deadline(), kNever);
}

TEST(HandoverDeathTest, YieldsOnlyToASuccessorThatWasAsked) {
  Handover handover;
  EXPECT_DEATH(handover.Yield(kStart, {}), "check failed");
}

}  // namespace
}  // namespace qure::test
