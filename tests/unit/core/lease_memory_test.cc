#include "control/core/cluster/lease_memory.h"

#include <gtest/gtest.h>

#include "control/core/timers.h"

namespace qure {
namespace {

constexpr MonoTime kStart{1'000'000'000'000};
constexpr BootId kPeer{7};
constexpr BootId kOther{8};
constexpr Duration kD = Milliseconds(16);

class FieldA16Memory : public testing::Test {
 protected:
  void Notify(EventKind kind) { memory_.OnEvent(now_, {.kind = kind, .span = kD, .at = now_}, kPeer); }
  void Pass(Duration span) { now_ = now_ + span; }

  MonoTime now_ = kStart;
  LeaseMemory memory_;
};

TEST_F(FieldA16Memory, NothingHappened) {
  EXPECT_EQ(memory_.MinLease(now_), Duration{});
}

TEST_F(FieldA16Memory, ATakeoverFromALivingMasterIsRememberedForMinutes) {
  Notify(EventKind::kMasterSilent);
  Pass(Milliseconds(84));
  memory_.OnHeard(now_, kOther);
  EXPECT_EQ(memory_.MinLease(now_), Duration{});
  memory_.OnHeard(now_, kPeer);
  EXPECT_EQ(memory_.MinLease(now_), Milliseconds(150)) << "half as much again as 84 ms and D";
  Pass(Seconds(290));
  EXPECT_EQ(memory_.MinLease(now_), Milliseconds(150));
}

TEST_F(FieldA16Memory, ItIsForgottenSlowly) {
  Notify(EventKind::kMasterSilent);
  Pass(Milliseconds(84));
  memory_.OnHeard(now_, kPeer);
  Pass(kRememberDisturbance + Seconds(1));
  EXPECT_EQ(memory_.MinLease(now_), Milliseconds(75));
  Pass(kForgetHalf);
  EXPECT_EQ(memory_.MinLease(now_), Milliseconds(75) / 2);
  Pass(Seconds(3600));
  EXPECT_EQ(memory_.MinLease(now_), Duration{});
}

TEST_F(FieldA16Memory, ALapseWhoseDeputyLives) {
  Notify(EventKind::kLeaseLost);
  memory_.OnHeard(now_, kPeer);  // sent before it was held
  Pass(Milliseconds(16));
  Notify(EventKind::kLeaseLapsed);
  Pass(Milliseconds(52));
  memory_.OnHeard(now_, kPeer);
  EXPECT_EQ(memory_.MinLease(now_), Milliseconds(120)) << "half as much again as 12 + 16 + 52 ms";
}

TEST_F(FieldA16Memory, ALeaseThatWasLostAndRenewed) {
  Notify(EventKind::kLeaseLost);
  Pass(Milliseconds(8));
  Notify(EventKind::kLeaseRenewed);
  EXPECT_EQ(memory_.MinLease(now_), Milliseconds(30));
}

TEST_F(FieldA16Memory, ADeathIsNoDisturbance) {
  Notify(EventKind::kMasterSilent);
  Pass(Milliseconds(200));
  memory_.OnHeard(now_, kOther);  // it has booted again
  EXPECT_EQ(memory_.MinLease(now_), Duration{});
  Pass(Seconds(3));
  memory_.OnHeard(now_, kPeer);  // suspended for seconds: no lease bridges that
  EXPECT_EQ(memory_.MinLease(now_), Duration{});
}

TEST_F(FieldA16Memory, TheLongestCounts) {
  Notify(EventKind::kMasterSilent);
  Pass(Milliseconds(84));
  memory_.OnHeard(now_, kPeer);
  Pass(Seconds(200));
  Notify(EventKind::kLeaseLost);
  Notify(EventKind::kLeaseRenewed);
  Pass(Seconds(200));
  EXPECT_EQ(memory_.MinLease(now_), Milliseconds(150)) << "counted from the last one";
}

}  // namespace
}  // namespace qure
