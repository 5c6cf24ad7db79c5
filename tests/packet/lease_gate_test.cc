#include "dataplane/lease_gate.h"

#include <gtest/gtest.h>

namespace qure {

namespace {

constexpr MonoTime kStart{1'000'000'000'000};
constexpr LeaseLimits kLimits;

// The same time on both clocks.
Duration Round(StallGuard* guard, MonoTime t) {
  return guard->Round(t, t);
}

}  // namespace

TEST(LeaseGate, ShutUntilGranted) {
  LeaseGate gate;
  EXPECT_FALSE(gate.MayTransmit(kStart));
  gate.Open(kStart);
  EXPECT_TRUE(gate.MayTransmit(kStart));
  gate.Shut();
  EXPECT_FALSE(gate.MayTransmit(kStart));
}

TEST(LeaseGate, AHungControlThreadLosesTheRole) {
  LeaseGate gate;
  gate.Open(kStart);
  EXPECT_TRUE(gate.MayTransmit(kStart + kLimits.max_control_silence));
  EXPECT_FALSE(gate.MayTransmit(kStart + kLimits.max_control_silence + Microseconds(1)));
  gate.Beat(kStart + Seconds(5));
  EXPECT_TRUE(gate.MayTransmit(kStart + Seconds(5)));
}

TEST(StallGuard, AStallShutsTheGateUntilItHasListened) {
  LeaseGate gate;
  gate.Open(kStart);
  StallGuard guard(&gate);
  EXPECT_EQ(Round(&guard, kStart), Duration{});
  EXPECT_EQ(Round(&guard, kStart + kLimits.max_gap), Duration{});
  const MonoTime resumed = kStart + kLimits.max_gap + Milliseconds(400);
  gate.Beat(resumed);
  EXPECT_EQ(Round(&guard, resumed), Milliseconds(400));
  EXPECT_FALSE(guard.MayTransmit(resumed, resumed));
  const MonoTime almost = resumed + kLimits.listen - Microseconds(1);
  EXPECT_EQ(Round(&guard, almost), Duration{});
  EXPECT_FALSE(guard.MayTransmit(almost, almost));
  EXPECT_TRUE(guard.MayTransmit(resumed + kLimits.listen, resumed + kLimits.listen));
}

// kvm-clock hides a pause from CLOCK_MONOTONIC; the TSC shows it. The reverse may happen too.
TEST(StallGuard, EitherClockShowsAStall) {
  for (const bool tsc_jumps : {false, true}) {
    LeaseGate gate;
    gate.Open(kStart);
    StallGuard guard(&gate);
    guard.Round(kStart, kStart);
    const MonoTime small = kStart + Milliseconds(1);
    const MonoTime large = kStart + Milliseconds(500);
    gate.Beat(large);
    EXPECT_EQ(guard.Round(tsc_jumps ? small : large, tsc_jumps ? large : small), Milliseconds(500));
    EXPECT_FALSE(guard.MayTransmit(tsc_jumps ? small : large, tsc_jumps ? large : small));
  }
}

TEST(StallGuard, APauseBetweenReceiveAndTransmitIsSeenAtTransmit) {
  LeaseGate gate;
  gate.Open(kStart);
  StallGuard guard(&gate);
  Round(&guard, kStart);
  gate.Beat(kStart + Milliseconds(150));
  EXPECT_FALSE(guard.MayTransmit(kStart + Milliseconds(150), kStart + Milliseconds(150)));
}

TEST(StallGuard, OneStalledWorkerSilencesAll) {
  LeaseGate gate;
  gate.Open(kStart);
  StallGuard sleeper(&gate);
  StallGuard other(&gate);
  Round(&sleeper, kStart);
  const MonoTime now = kStart + Milliseconds(300);
  gate.Beat(now);
  Round(&other, now);
  EXPECT_TRUE(other.MayTransmit(now, now));
  Round(&sleeper, now);
  EXPECT_FALSE(other.MayTransmit(now, now));
}

TEST(StallGuard, TheFirstRoundIsNoStall) {
  LeaseGate gate;
  StallGuard guard(&gate);
  EXPECT_EQ(Round(&guard, kStart), Duration{});
}

}  // namespace qure
