// Clocks that run at different rates: the deputy measures it, waits longer, or does not promise to take over.
#include "dataplane/lease/clock_ratio.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/lease/heartbeat_pair.h"

namespace qure {
namespace {

using testing::Contains;
using testing::Not;

// A master and a deputy whose clocks run at their own rates through one world.
class FieldA17Clocks : public testing::Test {
 protected:
  MonoTime MasterClock() const { return kStart + Duration{static_cast<int64_t>(master_ns_)}; }
  MonoTime DeputyClock() const { return kStart + Seconds(7) + Duration{static_cast<int64_t>(deputy_ns_)}; }

  void Run(Duration span, bool cut = false) {
    for (int64_t steps = span.ns / 250'000; steps > 0; --steps) {
      master_ns_ += 250e3 * master_rate;
      deputy_ns_ += 250e3 * deputy_rate;
      master.gate.NoteControlAlive(MasterClock());
      std::vector<Sealed> requests = master.Take();
      if (cut) requests.clear();
      deputy.Round(DeputyClock(), requests);
      master.Round(MasterClock(), deputy.Take());
      if (deputy.Reported(EventKind::kMasterSilent)) overlap_ = overlap_ || master.MayTransmit(MasterClock());
    }
  }
  void Offer() {
    master.OpenSolo(MasterClock());
    master.Publish(master.MakePlan(HeartbeatRole::kOffer, deputy));
    HeartbeatPlan follow = deputy.MakePlan(HeartbeatRole::kFollow, master);
    follow.ready = true;
    deputy.Publish(follow);
  }
  void Lead() {
    Offer();
    master.Publish(master.MakePlan(HeartbeatRole::kLead, deputy));
  }

  double master_rate = 1;
  double deputy_rate = 1;
  double master_ns_ = 0;
  double deputy_ns_ = 0;
  bool overlap_ = false;
  Node master{1};
  Node deputy{2};
};

TEST(FieldA17Ratio, IsMeasuredThroughJitter) {
  for (const double rate : {0.5, 0.93, 1.0, 1.05, 4.0 / 3, 2.0}) {
    std::mt19937_64 random(7);
    std::exponential_distribution<double> delay(1 / 2e6);  // 2 ms at the mean
    ClockRatio ratio;
    MonoTime last = kLongAgo;
    for (int64_t ms = 0; ms < 20'000; ms += 3) {
      const double arrival = static_cast<double>(ms) * 1e6 + 50e3 + delay(random);
      const MonoTime local{static_cast<int64_t>(arrival * rate) + 12'345};
      if (local <= last) continue;
      last = local;
      ratio.OnHeartbeat(local, kStart + Milliseconds(ms));
    }
    ASSERT_TRUE(ratio.measured());
    EXPECT_NEAR(static_cast<double>(ratio.ppm()) / 1e6, rate, 0.01 * rate);
    EXPECT_EQ(ratio.Fits(), rate >= 0.9 && rate <= 1.1) << rate;
    EXPECT_EQ(ratio.Differs(), !ratio.Fits()) << rate;
  }
}

TEST(FieldA17Ratio, IsMeasuredAnewAfterAnInterruption) {
  ClockRatio ratio;
  MonoTime now = kStart;
  for (int i = 0; i < 1'000; ++i, now = now + Milliseconds(3)) ratio.OnHeartbeat(now, now);
  EXPECT_TRUE(ratio.Fits());
  now = now + Seconds(2);
  ratio.OnHeartbeat(now, now);
  EXPECT_FALSE(ratio.measured());
  EXPECT_EQ(ratio.Wait(Milliseconds(100)), Milliseconds(102));
}

TEST(FieldA17Ratio, WrongSendTimesDoNoHarm) {
  ClockRatio ratio;
  std::mt19937_64 random(1);
  MonoTime now = kStart;
  for (int i = 0; i < 20'000; ++i, now = now + Milliseconds(3)) {
    ratio.OnHeartbeat(now, MonoTime{static_cast<int64_t>(random() >> 2)});
    EXPECT_GE(ratio.Wait(Milliseconds(10)), Milliseconds(10));
    EXPECT_LE(ratio.Wait(Milliseconds(10)), Milliseconds(100));
  }
}

// A slow master may transmit for longer than it believes, and a fast deputy waits for less: at 3:2 the lease would not
// hold by its margin of a quarter.
TEST_F(FieldA17Clocks, NeverActsWhileASlowMasterMayTransmit) {
  master_rate = 0.8;
  deputy_rate = 1.2;
  Lead();
  Run(Milliseconds(400));
  EXPECT_THAT(deputy.TakeEvents(), Not(Contains(EventKind::kMasterSilent)));
  Run(Milliseconds(300), /*cut=*/true);
  EXPECT_TRUE(deputy.Reported(EventKind::kMasterSilent)) << "it has not measured for long enough to be sure";
  EXPECT_FALSE(overlap_);
}

TEST_F(FieldA17Clocks, IsReadyWhenItHasMeasured) {
  deputy_rate = 1.05;
  Offer();
  Run(Milliseconds(100));
  EXPECT_FALSE(master.Reported(EventKind::kDeputyReady));
  Run(Milliseconds(150));
  EXPECT_TRUE(master.Reported(EventKind::kDeputyReady));
}

TEST_F(FieldA17Clocks, IsNotReadyBeyondTheTolerance) {
  deputy_rate = 1.15;
  Offer();
  Run(Seconds(10));
  EXPECT_FALSE(master.Reported(EventKind::kDeputyReady));
  EXPECT_TRUE(deputy.Reported(EventKind::kClocksDiffer));
  EXPECT_NEAR(static_cast<double>(deputy.events.back().ppm), 1.15e6, 10e3);
}

TEST_F(FieldA17Clocks, AClockThatChangesUnderLeaseEndsThePromise) {
  Lead();
  Run(Seconds(10));
  EXPECT_THAT(deputy.TakeEvents(), testing::IsEmpty());
  master_rate = 0.8;
  Run(Seconds(10));
  EXPECT_TRUE(deputy.Reported(EventKind::kClocksDiffer));
  deputy.events.clear();
  Run(Seconds(2), /*cut=*/true);
  EXPECT_FALSE(deputy.Reported(EventKind::kMasterSilent));
}

}  // namespace
}  // namespace qure
