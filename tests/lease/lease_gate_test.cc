#include "dataplane/lease/lease_gate.h"

#include <gtest/gtest.h>

namespace qure {

namespace {

constexpr MonoTime kStart{1'000'000'000'000};
constexpr GateLimits kLimits;
constexpr Duration kLease = Milliseconds(16);
constexpr uint64_t kOpening = 3;

// The same time on both clocks.
Duration Round(StallGuard* guard, MonoTime t) {
  return guard->Round(t, t);
}

bool MayTransmit(const StallGuard& guard, MonoTime t) {
  return guard.MayTransmit(t, t);
}

struct Gate : LeaseGate {
  void Open(MonoTime now, uint64_t stalls_known = 0, uint64_t opening = kOpening) {
    NoteControlAlive(now);
    OpenSolo(stalls_known, opening);
  }
  void Lease(MonoTime now) {
    Open(now);
    EXPECT_TRUE(Bind(kOpening, now + kLease * 3 / 4, kLease));
  }
};

}  // namespace

TEST(LeaseGate, ShutUntilOpened) {
  Gate gate;
  gate.NoteControlAlive(kStart);
  EXPECT_FALSE(gate.MayTransmit(kStart));
  gate.Open(kStart);
  EXPECT_EQ(gate.mode(), GateMode::kSolo);
  EXPECT_TRUE(gate.MayTransmit(kStart));
  gate.Shut();
  EXPECT_EQ(gate.mode(), GateMode::kShut);
  EXPECT_FALSE(gate.MayTransmit(kStart));
}

TEST(LeaseGate, AHungControlThreadLosesTheRole) {
  for (const bool leased : {false, true}) {
    Gate gate;
    gate.Open(kStart);
    if (leased) {
      EXPECT_TRUE(gate.Bind(kOpening, kStart + Seconds(60), kLease));
    }
    EXPECT_TRUE(gate.MayTransmit(kStart + kLimits.max_control_silence));
    EXPECT_FALSE(gate.MayTransmit(kStart + kLimits.max_control_silence + Microseconds(1)));
    gate.NoteControlAlive(kStart + Seconds(5));
    EXPECT_TRUE(gate.MayTransmit(kStart + Seconds(5)));
  }
}

TEST(LeaseGate, CountsTheLivenessOfTheControlThread) {
  Gate gate;
  EXPECT_EQ(gate.control_liveness(), 0);
  gate.NoteControlAlive(kStart);
  gate.NoteControlAlive(kStart);
  EXPECT_EQ(gate.control_liveness(), 2);
}

TEST(LeaseGate, UnderLeaseOnlyUntilItEnds) {
  Gate gate;
  gate.Lease(kStart);
  EXPECT_EQ(gate.mode(), GateMode::kLeased);
  const MonoTime end = kStart + kLease * 3 / 4;
  EXPECT_TRUE(gate.MayTransmit(end - Microseconds(1)));
  EXPECT_FALSE(gate.MayTransmit(end));
  gate.Extend(end + Milliseconds(5), kLease, {});
  EXPECT_TRUE(gate.MayTransmit(end));
  EXPECT_FALSE(gate.MayTransmit(end + Milliseconds(5)));
}

TEST(LeaseGate, AnEarlierEndDoesNotShortenTheLease) {
  Gate gate;
  gate.Lease(kStart);
  gate.Extend(kStart + Milliseconds(30), kLease, {});
  gate.Extend(kStart + Milliseconds(20), kLease, {});
  EXPECT_TRUE(gate.MayTransmit(kStart + Milliseconds(29)));
}

TEST(LeaseGate, BindsOnlyThePresentOpeningAndOnlyOnce) {
  Gate gate;
  EXPECT_FALSE(gate.Bind(kOpening, kStart + Seconds(1), kLease)) << "shut";
  gate.Open(kStart);
  EXPECT_FALSE(gate.Bind(kOpening - 1, kStart + Seconds(1), kLease));
  EXPECT_EQ(gate.mode(), GateMode::kSolo);
  EXPECT_TRUE(gate.Bind(kOpening, kStart + Milliseconds(10), kLease));
  EXPECT_TRUE(gate.Leased(kOpening));
  EXPECT_FALSE(gate.Bind(kOpening, kStart + Seconds(1), kLease)) << "another deputy does not know of the first";
  EXPECT_FALSE(gate.MayTransmit(kStart + Milliseconds(10)));
  gate.Open(kStart, 0, kOpening + 1);
  EXPECT_FALSE(gate.Leased(kOpening));
  EXPECT_FALSE(gate.Bind(kOpening, kStart + Seconds(1), kLease)) << "a Bind that comes late";
  EXPECT_EQ(gate.mode(), GateMode::kSolo);
  gate.Shut();
  EXPECT_FALSE(gate.Bind(kOpening + 1, kStart + Seconds(1), kLease));
  EXPECT_EQ(gate.mode(), GateMode::kShut);
}

TEST(LeaseGate, ALateExtendOpensNothing) {
  Gate gate;
  gate.Lease(kStart);
  gate.Shut();
  gate.Extend(kStart + Seconds(1), kLease, {});
  EXPECT_FALSE(gate.MayTransmit(kStart));
  // The end of an old lease is not that of the next.
  gate.Open(kStart, 0, kOpening + 1);
  EXPECT_TRUE(gate.Bind(kOpening + 1, kStart + Milliseconds(5), kLease));
  EXPECT_FALSE(gate.MayTransmit(kStart + Milliseconds(5)));
}

TEST(StallGuard, SoloAStallIsLiftedOnlyByAnOpeningThatKnowsIt) {
  Gate gate;
  gate.Open(kStart);
  StallGuard guard(&gate);
  EXPECT_EQ(Round(&guard, kStart), Duration{});
  EXPECT_EQ(Round(&guard, kStart + kLimits.max_gap), Duration{});
  const MonoTime resumed = kStart + kLimits.max_gap + Milliseconds(400);
  gate.NoteControlAlive(resumed);
  EXPECT_EQ(Round(&guard, resumed), Milliseconds(400));
  EXPECT_EQ(gate.stalls(), 1);
  EXPECT_FALSE(MayTransmit(guard, resumed));
  gate.Extend(resumed + Seconds(1), kLease, {.stalls = 1});
  EXPECT_FALSE(MayTransmit(guard, resumed)) << "solo, an acknowledgement proves nothing";
  gate.OpenSolo(0, kOpening + 1);
  EXPECT_FALSE(MayTransmit(guard, resumed)) << "it began to listen before the stall";
  gate.OpenSolo(1, kOpening + 2);
  EXPECT_TRUE(MayTransmit(guard, resumed));
}

TEST(StallGuard, AStallWhileShutMustBeKnownAsWell) {
  Gate gate;
  StallGuard guard(&gate);
  Round(&guard, kStart);
  Round(&guard, kStart + Seconds(1));
  gate.Open(kStart + Seconds(1), 0);
  EXPECT_FALSE(MayTransmit(guard, kStart + Seconds(1)));
}

TEST(StallGuard, UnderLeaseHalfOfItIsAStallAndLaterAcknowledgementsLiftIt) {
  Gate gate;
  gate.Lease(kStart);
  StallGuard guard(&gate);
  Round(&guard, kStart);
  MonoTime now = kStart + kLease / 2;
  EXPECT_EQ(Round(&guard, now), Duration{});
  now = now + kLease / 2 + Microseconds(1);
  gate.Extend(now + kLease, kLease, {});
  EXPECT_EQ(Round(&guard, now), kLease / 2 + Microseconds(1));
  EXPECT_FALSE(MayTransmit(guard, now));
  gate.Extend(now + kLease, kLease, {});
  EXPECT_FALSE(MayTransmit(guard, now)) << "of a heartbeat before the stall";
  gate.Extend(now + kLease, kLease, {.stalls = 1});
  EXPECT_TRUE(MayTransmit(guard, now));
}

TEST(StallGuard, TheLimitFollowsTheLease) {
  Gate gate;
  gate.Lease(kStart);
  StallGuard guard(&gate);
  Round(&guard, kStart);
  gate.Extend(kStart + Seconds(1), Milliseconds(100), {});
  EXPECT_EQ(Round(&guard, kStart + Milliseconds(50)), Duration{});
  gate.Extend(kStart + Seconds(1), Milliseconds(500), {});
  EXPECT_EQ(Round(&guard, kStart + Milliseconds(151)), Milliseconds(101)) << "never longer than solo";
  gate.Open(kStart, 1, kOpening + 1);
  EXPECT_EQ(Round(&guard, kStart + Milliseconds(251)), Duration{});
}

// kvm-clock hides a pause from CLOCK_MONOTONIC; the TSC shows it. The reverse may happen too.
TEST(StallGuard, EitherClockShowsAStall) {
  for (const bool tsc_jumps : {false, true}) {
    Gate gate;
    gate.Open(kStart);
    StallGuard guard(&gate);
    guard.Round(kStart, kStart);
    const MonoTime small = kStart + Milliseconds(1);
    const MonoTime large = kStart + Milliseconds(500);
    gate.NoteControlAlive(large);
    EXPECT_EQ(guard.Round(tsc_jumps ? small : large, tsc_jumps ? large : small), Milliseconds(500));
    EXPECT_FALSE(guard.MayTransmit(tsc_jumps ? small : large, tsc_jumps ? large : small));
  }
}

// The clock that the lease is measured by must not lose more than what lies between the master's 3/4 D and D.
TEST(StallGuard, AShortPauseThatTheClockHidesIsAStall) {
  Gate gate;
  gate.Lease(kStart);
  StallGuard guard(&gate);
  guard.Round(kStart, kStart);
  const MonoTime now = kStart + Microseconds(10);
  EXPECT_EQ(guard.Round(now, now + kLease / 8), Duration{});
  EXPECT_TRUE(guard.MayTransmit(now, now + kLease / 8));
  const MonoTime tsc = now + kLease / 4 + Microseconds(2);
  EXPECT_FALSE(guard.MayTransmit(now + Microseconds(1), tsc));
  EXPECT_EQ(guard.Round(now + Microseconds(1), tsc), kLease / 8 + Microseconds(2));
  EXPECT_EQ(gate.stalls(), 1);
}

TEST(StallGuard, APauseBetweenReceiveAndTransmitIsSeenAtTransmit) {
  Gate gate;
  gate.Open(kStart);
  StallGuard guard(&gate);
  Round(&guard, kStart);
  gate.NoteControlAlive(kStart + Milliseconds(150));
  EXPECT_FALSE(MayTransmit(guard, kStart + Milliseconds(150)));
}

TEST(StallGuard, OneStalledWorkerSilencesAll) {
  Gate gate;
  gate.Open(kStart);
  StallGuard sleeper(&gate);
  StallGuard other(&gate);
  Round(&sleeper, kStart);
  const MonoTime now = kStart + Milliseconds(300);
  gate.NoteControlAlive(now);
  Round(&other, now);
  EXPECT_TRUE(MayTransmit(other, now));
  Round(&sleeper, now);
  EXPECT_FALSE(MayTransmit(other, now));
}

TEST(StallGuard, TheFirstRoundIsNoStall) {
  LeaseGate gate;
  StallGuard guard(&gate);
  EXPECT_EQ(Round(&guard, kStart), Duration{});
  EXPECT_EQ(gate.stalls(), 0);
}

}  // namespace qure
