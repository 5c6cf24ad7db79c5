// What waited through a pause that no clock shows, and a link that was down: answered only after a proof that is newer.
#include "dataplane/lease/backlog_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/lease/heartbeat_pair.h"

namespace qure {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr Duration kTick = Microseconds(500);
constexpr uint32_t kFew = BacklogWatch::kQuiet;
constexpr uint32_t kBurstFull = 32;

class FieldA13Backlog : public testing::Test {
 protected:
  // Both go round every kTick until `end`; what one sends reaches the other at once, and each round brings a frame.
  void RunUntil(MonoTime end) {
    for (; now < end; now = now + kTick) {
      master.gate.NoteControlAlive(now);
      deputy.Round(now, master.Take());
      master.Round(now, deputy.Take());
      master.guard.Received(now, {.frames = 1});
    }
  }
  void Bind() {
    master.OpenSolo(now);
    master.Publish(master.MakePlan(HeartbeatRole::kLead, deputy));
    deputy.Publish(deputy.MakePlan(HeartbeatRole::kFollow, master));
    RunUntil(now + Milliseconds(50));
    ASSERT_TRUE(master.MayTransmit(now));
  }

  MonoTime now = kStart;
  Node master{1};
  Node deputy{2};
};

TEST(FieldA13BacklogWatch, IsMoreThanTheMomentsBefore) {
  BacklogWatch watch;
  MonoTime now = kStart;
  for (int i = 0; i < 5'000; ++i) {
    EXPECT_FALSE(watch.Received(now, i % 3 == 0 ? 2 : 0));
    now = now + Microseconds(700);
  }
  EXPECT_TRUE(watch.Received(now, 9)) << "what a short pause leaves";
  EXPECT_FALSE(watch.Received(now, 1)) << "not for each frame";
}

TEST(FieldA13BacklogWatch, ALoadIsNoBacklogOnceItIsKnown) {
  BacklogWatch watch;
  MonoTime now = kStart;
  int found = 0;
  for (int i = 0; i < 100'000; ++i, now = now + Microseconds(30)) found += watch.Received(now, kBurstFull) ? 1 : 0;
  EXPECT_GT(found, 0);
  EXPECT_LT(found, 20) << "a million frames a second for three seconds";
  now = now + Seconds(5);
  watch.Received(now, 1);
  now = now + Milliseconds(2);
  EXPECT_TRUE(watch.Received(now, kBurstFull)) << "the load is long past";
}

// What waited through a pause comes at once. It is not what is usual for long, or the next pause would be hidden.
TEST(FieldA13BacklogWatch, ABacklogDoesNotHideTheNextOne) {
  BacklogWatch watch;
  MonoTime now = kStart;
  for (int pause = 0; pause < 5; ++pause, now = now + Milliseconds(300)) {
    EXPECT_TRUE(watch.Received(now, kBurstFull));
    for (int i = 0; i < 3; ++i) watch.Received(now = now + Microseconds(20), kBurstFull);
  }
}

TEST_F(FieldA13Backlog, WaitsForTheAcknowledgementOfALaterHeartbeat) {
  Bind();
  while (master.sent.empty()) {  // one is on its way when the machine is stopped
    deputy.Round(now);
    master.Round(now = now + kTick);
  }
  deputy.Round(now, master.Take());
  const std::vector<Sealed> before = deputy.Take();
  ASSERT_THAT(before, SizeIs(1));

  // It goes on; its clocks have not moved. The acknowledgement waits among the frames.
  master.Round(now = now + Microseconds(20), before);
  EXPECT_TRUE(master.MayTransmit(now));
  EXPECT_TRUE(master.guard.Received(now, {.frames = 9}));
  EXPECT_FALSE(master.MayTransmit(now));
  master.Round(now, before);
  EXPECT_FALSE(master.MayTransmit(now));

  const std::vector<Sealed> after = master.Take();
  EXPECT_THAT(after, SizeIs(1)) << "at once, not in its turn";
  deputy.Round(now, after);
  master.Round(now = now + kTick, deputy.Take());
  EXPECT_TRUE(master.MayTransmit(now));
}

TEST_F(FieldA13Backlog, IsNeverAnsweredIfAnotherLeads) {
  Bind();
  deputy.OpenSolo(now);  // it took over during the pause
  master.guard.Received(now, {.frames = 9});
  for (const MonoTime end = now + Milliseconds(100); now < end; now = now + kTick) {
    master.gate.NoteControlAlive(now);
    master.Round(now, deputy.Take());
    deputy.Round(now, master.Take());
    ASSERT_FALSE(master.MayTransmit(now));
  }
}

TEST_F(FieldA13Backlog, AFrameFromOurServiceMacIsEnough) {
  Bind();
  master.guard.Received(now, {.frames = 1, .rival = true});
  EXPECT_FALSE(master.MayTransmit(now));
  const uint64_t marks = master.gate.backlogs();
  for (int i = 0; i < 100; ++i) master.guard.Received(now, {.frames = 1, .rival = true});
  EXPECT_LE(master.gate.backlogs(), marks + 8) << "anyone can forge them";
  RunUntil(now + Milliseconds(5));
  EXPECT_TRUE(master.MayTransmit(now));
}

TEST_F(FieldA13Backlog, SoloTheMessagesAreHeardFirst) {
  master.OpenSolo(now);
  master.Round(now);
  EXPECT_TRUE(master.guard.Received(now, {.frames = kBurstFull, .more = true}));
  const uint64_t first = master.gate.backlogs();
  EXPECT_TRUE(master.guard.Received(now, {.frames = kBurstFull, .more = true})) << "a CLAIM may wait behind these";
  master.gate.NoteMessagesHeard(first);
  EXPECT_FALSE(master.MayTransmit(now));
  master.guard.Received(now, {.frames = 3});
  master.gate.NoteMessagesHeard(master.gate.backlogs());
  EXPECT_TRUE(master.MayTransmit(now));
}

TEST_F(FieldA13Backlog, SoloALoadThatStaysIsServed) {
  master.OpenSolo(now);
  int shut = 0;
  for (int i = 0; i < 10'000; ++i, now = now + Microseconds(20)) {
    master.gate.NoteControlAlive(now);
    master.Round(now);
    master.guard.Received(now, {.frames = kBurstFull, .more = true});
    shut += master.MayTransmit(now) ? 0 : 1;
    master.gate.NoteMessagesHeard(master.gate.backlogs());
  }
  EXPECT_LT(shut, 1'000) << "rounds of 10,000";
}

TEST_F(FieldA13Backlog, UnderLeaseTheControlThreadCannotLiftIt) {
  Bind();
  master.guard.Received(now, {.frames = 9});
  master.gate.NoteMessagesHeard(master.gate.backlogs());
  EXPECT_FALSE(master.MayTransmit(now));
}

TEST_F(FieldA13Backlog, WithoutOtherNodesThereIsNone) {
  master.OpenSolo(now);
  master.Round(now);
  EXPECT_FALSE(master.guard.Received(now, {.frames = kBurstFull, .more = true, .clustered = false}));
  EXPECT_TRUE(master.MayTransmit(now));
}

TEST_F(FieldA13Backlog, QuietRoundsCostNoHeartbeat) {
  Bind();
  const uint64_t sent = master.heartbeater.counters().heartbeats_sent;
  for (const MonoTime end = now + Milliseconds(300); now < end;) {
    RunUntil(now + Milliseconds(1));
    EXPECT_FALSE(master.guard.Received(now, {.frames = kFew - 3}));
  }
  EXPECT_NEAR(static_cast<double>(master.heartbeater.counters().heartbeats_sent - sent), 100, 5);
}

TEST_F(FieldA13Backlog, ALinkThatWasDownIsAStall) {
  Bind();
  master.gate.SetLink(false);
  EXPECT_FALSE(master.MayTransmit(now));
  const uint64_t stalls = master.gate.stalls();
  master.gate.SetLink(true);
  EXPECT_EQ(master.gate.stalls(), stalls + 1);
  EXPECT_FALSE(master.MayTransmit(now)) << "until a heartbeat that was sent since is acknowledged";
  RunUntil(now + Milliseconds(5));
  EXPECT_TRUE(master.MayTransmit(now));
}

TEST_F(FieldA13Backlog, SoloALinkThatWasDownNeedsAListen) {
  master.OpenSolo(now);
  master.Round(now);
  master.gate.SetLink(false);
  master.gate.SetLink(true);
  EXPECT_FALSE(master.MayTransmit(now));
  master.gate.OpenSolo(master.gate.stalls(), Node::kOpening + 1);
  EXPECT_TRUE(master.MayTransmit(now));
  EXPECT_THAT(master.sent, IsEmpty());
}

}  // namespace
}  // namespace qure
