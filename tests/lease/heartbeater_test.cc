#include "dataplane/lease/heartbeater.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/lease/heartbeat_pair.h"

namespace qure {

namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using enum EventKind;

constexpr Duration kTick = Microseconds(500);
constexpr Duration kWait = kD * 51 / 50;  // of the deputy, by a clock that is as fast as the master's

// Plain text of a heartbeat that `from` sent.
Heartbeat Open(const Node& from, const Sealed& datagram) {
  std::array<uint8_t, kHeartbeatSize> plain{};
  EXPECT_TRUE(Unseal(from.identity.key().key, datagram, plain));
  return ReadHeartbeat(plain).value_or(Heartbeat{});
}

// Seals what `from` never sent; counters of its own, far from the heartbeater's.
Sealed Forge(const Node& from, const Heartbeat& heartbeat) {
  static uint64_t counter = 1'000;
  std::array<uint8_t, kHeartbeatSize> plain;
  WriteHeartbeat(heartbeat, plain);
  Sealed sealed;
  Seal(from.identity.key().key,
       {.magic = Be16(kEnvelopeMagic),
        .version = kEnvelopeVersion,
        .channel = static_cast<uint8_t>(Channel::kHeartbeat),
        .key_id = Be32(from.identity.key().id),
        .sender = from.identity.node(),
        .boot = from.identity.boot(),
        .counter = Be64(++counter),
        .salt = {}},
       plain, &sealed);
  return sealed;
}

class HeartbeatTest : public testing::Test {
 protected:
  // Both go round every kTick until `end`; what one sends reaches the other at once.
  void RunUntil(MonoTime end) {
    for (; now < end; now = now + kTick) {
      master.gate.NoteControlAlive(now);
      deputy.Round(now, master.Take());
      master.Round(now, deputy.Take());
    }
  }
  // The same without a wire.
  void RunCutUntil(MonoTime end) {
    for (; now < end; now = now + kTick) {
      master.gate.NoteControlAlive(now);
      deputy.Round(now);
      master.Round(now);
      master.sent.clear();
      deputy.sent.clear();
    }
  }
  void Bind() {
    master.OpenSolo(now);
    master.Publish(master.MakePlan(HeartbeatRole::kLead, deputy));
    deputy.Publish(deputy.MakePlan(HeartbeatRole::kFollow, master));
    RunUntil(now + Milliseconds(50));
    ASSERT_TRUE(master.MayTransmit(now - kTick));
    master.events.clear();
    deputy.events.clear();
  }
  // The deputy gets this heartbeat now, alone. What it answers is in deputy.sent.
  void GiveHeartbeat(Heartbeat heartbeat) {
    heartbeat.to = deputy.identity.boot();
    deputy.Round(now, {Forge(master, heartbeat)});
  }
  Heartbeat NoteControlAlive(uint64_t sequence, Duration lease = kD) const {
    return {
        .binding = true, .term = kTerm, .sequence = sequence, .sent_at = now, .lease = lease, .control_liveness = 1};
  }
  // From now on in ticks, until the deputy reports that the master is silent.
  MonoTime SilentAt() {
    const MonoTime limit = now + Seconds(2);
    while (!deputy.Reported(kMasterSilent) && now < limit) deputy.Round(now = now + kTick);
    return now;
  }

  // `lease` and the margin after `heard`, in the round that follows.
  void ExpectSilentAfter(MonoTime heard, Duration lease) {
    const Duration late = SilentAt() - (heard + lease * 51 / 50);
    EXPECT_GE(late, Duration{});
    EXPECT_LE(late, kTick * 2);
  }

  MonoTime now = kStart;
  Node master{1};
  Node deputy{2};
};

}  // namespace

TEST_F(HeartbeatTest, SilentWithoutAPlan) {
  master.Round(now);
  deputy.Publish(deputy.MakePlan(HeartbeatRole::kSilent, master));
  RunUntil(now + Milliseconds(50));
  EXPECT_EQ(master.heartbeater.counters().heartbeats_sent, 0);
  GiveHeartbeat(NoteControlAlive(1));
  EXPECT_EQ(deputy.last_reject, HeartbeatReject::kUnexpected);
  EXPECT_THAT(deputy.sent, IsEmpty());
  EXPECT_EQ(master.heartbeater.NextDeadline(), kNever);
  EXPECT_EQ(deputy.heartbeater.NextDeadline(), kNever);
}

TEST_F(HeartbeatTest, OffersUntilTheDeputyIsReady) {
  master.OpenSolo(now);
  master.Publish(master.MakePlan(HeartbeatRole::kOffer, deputy));
  HeartbeatPlan plan = deputy.MakePlan(HeartbeatRole::kFollow, master);
  deputy.Publish(plan);
  RunUntil(now + Milliseconds(50));
  EXPECT_THAT(master.events, IsEmpty());
  EXPECT_EQ(master.heartbeater.counters().acks_received, deputy.heartbeater.counters().acks_sent);
  plan.ready = true;
  deputy.Publish(plan);
  RunUntil(now + Milliseconds(250));
  EXPECT_THAT(master.TakeEvents(), ElementsAre(kDeputyReady));
  EXPECT_EQ(master.gate.mode(), GateMode::kSolo);
  RunCutUntil(now + Seconds(1));
  EXPECT_THAT(deputy.events, IsEmpty()) << "an offer does not bind";
}

TEST_F(HeartbeatTest, HeartbeatsKeepTheLease) {
  Bind();
  EXPECT_EQ(master.gate.mode(), GateMode::kLeased);
  for (int i = 0; i < 2'000; ++i) {
    RunUntil(now + kTick);
    ASSERT_TRUE(master.MayTransmit(now - kTick)) << i;
  }
  EXPECT_THAT(master.events, IsEmpty());
  EXPECT_THAT(deputy.events, IsEmpty());
  // One second and the 50 ms before it, a heartbeat every 3 ms.
  EXPECT_NEAR(static_cast<double>(master.heartbeater.counters().heartbeats_sent), 350, 5);
  EXPECT_EQ(master.heartbeater.counters().acks_received, deputy.heartbeater.counters().acks_sent);
  EXPECT_LE(master.heartbeater.status().round_trip, kTick);
}

TEST_F(HeartbeatTest, WithoutAcknowledgementTheMasterStopsBeforeTheDeputyActs) {
  Bind();
  const MonoTime last = now;
  RunCutUntil(last + kD * 3 / 4);
  EXPECT_FALSE(master.MayTransmit(now));
  EXPECT_FALSE(deputy.Reported(kMasterSilent));
  RunCutUntil(last + Milliseconds(60));
  EXPECT_THAT(master.TakeEvents(), ElementsAre(kLeaseLost, kLeaseLapsed));
  EXPECT_THAT(deputy.TakeEvents(), ElementsAre(kMasterSuspect, kMasterSilent));
}

TEST_F(HeartbeatTest, AnAcknowledgementInTimeRenewsTheLease) {
  Bind();
  RunCutUntil(now + kD * 3 / 4);
  ASSERT_TRUE(master.Reported(kLeaseLost));
  RunUntil(now + Milliseconds(50));
  EXPECT_THAT(master.TakeEvents(), ElementsAre(kLeaseLost, kLeaseRenewed));
  EXPECT_TRUE(master.MayTransmit(now - kTick));
}

TEST_F(HeartbeatTest, AnAcknowledgementOfLongAgoRenewsNothing) {
  Bind();
  while (deputy.sent.empty()) {
    deputy.Round(now, master.Take());
    if (deputy.sent.empty()) master.Round(now = now + kTick);
  }
  const std::vector<Sealed> late = deputy.Take();
  RunCutUntil(now + Milliseconds(12));
  ASSERT_TRUE(master.Reported(kLeaseLost));
  master.Round(now, late);
  EXPECT_FALSE(master.MayTransmit(now));
  EXPECT_FALSE(master.Reported(kLeaseRenewed));
}

TEST_F(HeartbeatTest, TheLeaseLapsesOnlyAfterTheLongestThatWasAcknowledged) {
  Bind();
  HeartbeatPlan plan = master.MakePlan(HeartbeatRole::kLead, deputy);
  plan.min_lease = Milliseconds(100);
  master.Publish(plan);
  RunUntil(now + Milliseconds(20));
  const MonoTime last = now;
  plan.min_lease = Milliseconds(10);
  plan.max_lease = Milliseconds(10);
  master.Publish(plan);
  RunUntil(last + Milliseconds(20));
  ASSERT_EQ(master.heartbeater.status().lease, Milliseconds(10));
  RunCutUntil(last + Milliseconds(100));
  EXPECT_TRUE(master.Reported(kLeaseLost));
  EXPECT_FALSE(master.Reported(kLeaseLapsed));
  RunCutUntil(last + Milliseconds(125));
  EXPECT_TRUE(master.Reported(kLeaseLapsed));
}

TEST_F(HeartbeatTest, SuspectLeadsSilentByTheTimeOfTheVeto) {
  Bind();
  GiveHeartbeat(NoteControlAlive(1'000));
  const MonoTime received = now;
  EXPECT_EQ(deputy.heartbeater.NextDeadline(), received + kWait - kVetoLead);
  while (!deputy.Reported(kMasterSuspect)) deputy.Round(now = now + kTick);
  EXPECT_GE(now, received + kWait - kVetoLead);
  EXPECT_LT(now, received + kWait - kVetoLead + kTick);
  EXPECT_EQ(deputy.heartbeater.NextDeadline(), std::max(received + kWait, now + kVetoLead));
  EXPECT_LT(SilentAt() - (received + kWait), kTick * 2);
  EXPECT_EQ(deputy.events.back().term, kTerm);
  EXPECT_EQ(deputy.heartbeater.NextDeadline(), kNever);
}

TEST_F(HeartbeatTest, ALateRoundStillLeavesTimeForTheVeto) {
  Bind();
  GiveHeartbeat(NoteControlAlive(1'000));
  for (int i = 0; i < 3; ++i) deputy.Round(now = now + Milliseconds(5));  // the last one at the expiry
  EXPECT_THAT(deputy.TakeEvents(), ElementsAre(kMasterSuspect));
  const MonoTime suspected = now;
  EXPECT_EQ(SilentAt(), suspected + kVetoLead);
}

TEST_F(HeartbeatTest, ABeatAfterSuspicionEndsIt) {
  Bind();
  GiveHeartbeat(NoteControlAlive(1'000));
  for (const MonoTime end = now + kWait - kTick; now < end; now = now + kTick) deputy.Round(now);
  GiveHeartbeat(NoteControlAlive(1'001));
  EXPECT_THAT(deputy.TakeEvents(), ElementsAre(kMasterSuspect, kMasterBack));
  EXPECT_THAT(deputy.sent, SizeIs(2));
}

TEST_F(HeartbeatTest, WhatWaitsInTheQueueIsHeardFirst) {
  Bind();
  GiveHeartbeat(NoteControlAlive(1'000));
  for (const MonoTime end = now + kD * 3; now < end; now = now + kTick) deputy.Round(now, {}, false);
  EXPECT_THAT(deputy.TakeEvents(), ElementsAre(kMasterSuspect));
  EXPECT_LT(deputy.heartbeater.NextDeadline(), now) << "the worker sees what its heartbeater waits for";
  deputy.Round(now);
  EXPECT_THAT(deputy.TakeEvents(), ElementsAre(kMasterSilent));
}

TEST_F(HeartbeatTest, ItsOwnStallIsNotTheMastersSilence) {
  Bind();
  GiveHeartbeat(NoteControlAlive(1'000));
  now = now + kD * 2;
  deputy.Round(now);
  const MonoTime resumed = now;
  EXPECT_THAT(deputy.events, IsEmpty());
  ExpectSilentAfter(resumed, kD);
}

// A pause that the clock did not see: the worker's time stamp counter did.
TEST_F(HeartbeatTest, AHiddenStallRestartsTheWindowToo) {
  Bind();
  GiveHeartbeat(NoteControlAlive(1'000));
  while (!deputy.Reported(kMasterSuspect)) deputy.Round(now = now + kTick);
  deputy.heartbeater.Round(now, deputy.plan, Milliseconds(200), true);
  const MonoTime resumed = now;
  ExpectSilentAfter(resumed, kD);
}

TEST_F(HeartbeatTest, NothingOfATermIsAcknowledgedOnceItWasGivenUp) {
  Bind();
  RunCutUntil(now + Milliseconds(40));
  ASSERT_TRUE(deputy.Reported(kMasterSilent));
  deputy.events.clear();
  GiveHeartbeat(NoteControlAlive(1'000));
  EXPECT_EQ(deputy.last_reject, HeartbeatReject::kUnexpected);
  EXPECT_THAT(deputy.events, IsEmpty()) << "the control thread has decided, or will";
  deputy.Publish(deputy.MakePlan(HeartbeatRole::kSilent, master));
  deputy.Round(now);
  deputy.Publish(deputy.MakePlan(HeartbeatRole::kFollow, master));  // the control thread was not asked yet
  GiveHeartbeat(NoteControlAlive(1'001));
  EXPECT_EQ(deputy.last_reject, HeartbeatReject::kUnexpected);
  EXPECT_THAT(deputy.sent, IsEmpty());
  deputy.Publish(deputy.MakePlan(HeartbeatRole::kFollow, master, kNextTerm));
  Heartbeat next = NoteControlAlive(1'002);
  next.term = kNextTerm;
  GiveHeartbeat(next);
  EXPECT_THAT(deputy.sent, SizeIs(1));
}

TEST_F(HeartbeatTest, AShorterLeaseDoesNotMoveTheExpiryBack) {
  Bind();
  GiveHeartbeat(NoteControlAlive(1'000, Milliseconds(200)));
  const MonoTime received = now;
  now = now + Milliseconds(3);
  GiveHeartbeat(NoteControlAlive(1'001, Milliseconds(10)));
  ExpectSilentAfter(received, Milliseconds(200));
}

TEST_F(HeartbeatTest, TheExpiryOfATermSurvivesOtherPlans) {
  Bind();
  GiveHeartbeat(NoteControlAlive(1'000, Milliseconds(200)));
  const MonoTime received = now;
  deputy.Publish(deputy.MakePlan(HeartbeatRole::kSilent, master));
  deputy.Round(now = now + Milliseconds(1));
  deputy.Publish(deputy.MakePlan(HeartbeatRole::kFollow, master));
  deputy.Round(now = now + Milliseconds(1));
  EXPECT_EQ(deputy.heartbeater.NextDeadline(), kNever) << "nothing was heard under this plan";
  GiveHeartbeat(NoteControlAlive(1'001, Milliseconds(10)));
  ExpectSilentAfter(received, Milliseconds(200));
}

TEST_F(HeartbeatTest, APlanWithOtherKeysGoesOn) {
  Bind();
  GiveHeartbeat(NoteControlAlive(1'000));
  const MonoTime received = now;
  HeartbeatPlan plan = deputy.MakePlan(HeartbeatRole::kFollow, master);
  plan.peer.keys.insert(plan.peer.keys.begin(), master.identity.key(2));
  plan.ready = true;
  deputy.Publish(plan);
  ExpectSilentAfter(received, kD);
}

TEST_F(HeartbeatTest, AnyOfThePeersKeysWillDo) {
  Bind();
  HeartbeatPlan plan = deputy.MakePlan(HeartbeatRole::kFollow, master);
  plan.peer.keys = {master.identity.key(2), master.identity.key(1)};
  deputy.Publish(plan);
  RunUntil(now + Milliseconds(30));
  HeartbeatPlan lead = master.MakePlan(HeartbeatRole::kLead, deputy);
  lead.send_key = master.identity.key(2);
  master.Publish(lead);
  RunUntil(now + Milliseconds(30));
  plan.peer.keys = {master.identity.key(2)};
  deputy.Publish(plan);
  RunUntil(now + Milliseconds(30));
  EXPECT_TRUE(master.MayTransmit(now - kTick));
  EXPECT_THAT(deputy.events, IsEmpty());
  EXPECT_EQ(deputy.Rejected(HeartbeatReject::kUnauthentic), 0);
}

TEST_F(HeartbeatTest, AnOfferUnbinds) {
  Bind();
  Heartbeat offer = NoteControlAlive(1'000);
  offer.binding = false;
  GiveHeartbeat(offer);
  EXPECT_EQ(deputy.heartbeater.NextDeadline(), kNever);
  GiveHeartbeat(NoteControlAlive(999));
  EXPECT_EQ(deputy.heartbeater.NextDeadline(), kNever) << "the binding heartbeat was overtaken";
  EXPECT_THAT(deputy.sent, SizeIs(1));
  GiveHeartbeat(NoteControlAlive(1'001));
  EXPECT_EQ(deputy.heartbeater.NextDeadline(), now + kWait - kVetoLead);
}

TEST_F(HeartbeatTest, AMasterWithAnotherTermLivesAndIsReported) {
  Bind();
  Heartbeat other = NoteControlAlive(1'000);
  other.term = kNextTerm;
  GiveHeartbeat(other);
  EXPECT_EQ(deputy.last_reject, HeartbeatReject::kOtherTerm);
  EXPECT_THAT(deputy.sent, IsEmpty());
  ASSERT_THAT(deputy.events, SizeIs(1));
  EXPECT_EQ(deputy.events[0].kind, kStaleHeartbeat);
  EXPECT_EQ(deputy.events[0].term, kNextTerm);
  other.sequence = 1'001;
  now = now + kStaleInterval - kTick;
  GiveHeartbeat(other);
  EXPECT_THAT(deputy.events, SizeIs(1)) << "at most once in 10 ms";
  now = now + kTick;
  other.sequence = 1'002;
  GiveHeartbeat(other);
  EXPECT_EQ(deputy.TakeEvents(), (std::vector{kStaleHeartbeat, kStaleHeartbeat}));
  EXPECT_EQ(deputy.Rejected(HeartbeatReject::kOtherTerm), 3);
  RunCutUntil(now + Milliseconds(100));
  EXPECT_FALSE(deputy.Reported(kMasterSilent));
}

TEST_F(HeartbeatTest, AHeartbeatOfAnOlderTermChangesNothing) {
  Bind();
  const MonoTime deadline = deputy.heartbeater.NextDeadline();
  Heartbeat old = NoteControlAlive(1'000);
  old.term.epoch = kTerm.epoch - 1;
  GiveHeartbeat(old);
  EXPECT_EQ(deputy.last_reject, HeartbeatReject::kOtherTerm);
  EXPECT_EQ(deputy.heartbeater.NextDeadline(), deadline);
  GiveHeartbeat(NoteControlAlive(500));
  EXPECT_THAT(deputy.sent, SizeIs(1)) << "its sequence does not count";
}

TEST_F(HeartbeatTest, TheDeputyOutlastsAHungControlThread) {
  Bind();
  const auto run = [&](Duration span) {  // the master's control thread does not heartbeat
    for (const MonoTime end = now + span; now < end; now = now + kTick) {
      deputy.Round(now, master.Take());
      master.Round(now, deputy.Take());
      ASSERT_FALSE(master.MayTransmit(now) && deputy.Reported(kMasterSilent));
    }
  };
  run(kControlDeath - Milliseconds(10));
  EXPECT_FALSE(master.MayTransmit(now - kTick)) << "its own gate shuts after a second";
  EXPECT_THAT(deputy.events, IsEmpty());
  run(kD + Milliseconds(20));
  EXPECT_THAT(deputy.TakeEvents(), ElementsAre(kMasterSuspect, kMasterSilent));
  master.gate.NoteControlAlive(now);  // it wakes: the lease must be gone
  EXPECT_FALSE(master.MayTransmit(now));
  run(Milliseconds(100));
}

TEST_F(HeartbeatTest, ACandidateForMasterAcknowledgesNothing) {
  Bind();
  deputy.OpenSolo(now);
  GiveHeartbeat(NoteControlAlive(1'000));
  EXPECT_EQ(deputy.last_reject, HeartbeatReject::kUnexpected);
  EXPECT_THAT(deputy.sent, IsEmpty());
}

TEST_F(HeartbeatTest, AcknowledgementsOfOffersAreNoLease) {
  master.OpenSolo(now);
  HeartbeatPlan offer = master.MakePlan(HeartbeatRole::kOffer, deputy);
  offer.min_lease = Milliseconds(150);
  master.Publish(offer);
  deputy.Publish(deputy.MakePlan(HeartbeatRole::kFollow, master));
  master.Round(now);
  deputy.Round(now, master.Take());
  const std::vector<Sealed> late = deputy.Take();
  HeartbeatPlan lead = master.MakePlan(HeartbeatRole::kLead, deputy);
  lead.max_lease = kD;
  master.Publish(lead);
  master.Round(now = now + Milliseconds(1));
  lead.max_lease = Milliseconds(200);
  master.Publish(lead);
  master.Round(now = now + Milliseconds(1), late);
  EXPECT_EQ(master.heartbeater.counters().acks_received, 1);
  EXPECT_TRUE(master.MayTransmit(now));
  for (int i = 0; i < 6; ++i) master.Round(now = now + Milliseconds(2));
  EXPECT_FALSE(master.MayTransmit(now));
}

TEST_F(HeartbeatTest, OnlyAnAcknowledgementOfAHeartbeatAfterTheStallLiftsIt) {
  Bind();
  while (deputy.sent.empty()) {
    deputy.Round(now, master.Take());
    if (deputy.sent.empty()) master.Round(now = now + kTick);
  }
  const std::vector<Sealed> before = deputy.Take();
  now = now + Milliseconds(9);  // more than D/2, less than the lease
  master.Round(now, before);
  EXPECT_FALSE(master.MayTransmit(now));
  deputy.Round(now, master.Take());
  master.Round(now, deputy.Take());
  EXPECT_TRUE(master.MayTransmit(now));
  EXPECT_THAT(master.events, IsEmpty());
}

TEST_F(HeartbeatTest, AfterAStallTheQueueIsHeardBeforeTheLeaseIsGivenUp) {
  Bind();
  now = now + Milliseconds(500);
  master.Round(now);
  EXPECT_THAT(master.events, IsEmpty());
  EXPECT_FALSE(master.MayTransmit(now));
  const MonoTime resumed = now;
  RunCutUntil(resumed + kD * 7 / 4);
  EXPECT_THAT(master.TakeEvents(), ElementsAre(kLeaseLost));
  RunCutUntil(now + Milliseconds(2));
  EXPECT_THAT(master.TakeEvents(), ElementsAre(kLeaseLapsed));
}

TEST_F(HeartbeatTest, NoBindingHeartbeatUnlessTheGateIsBound) {
  master.Publish(master.MakePlan(HeartbeatRole::kLead, deputy));
  master.Round(now);
  EXPECT_THAT(master.sent, IsEmpty()) << "shut";
  master.OpenSolo(now, Node::kOpening + 1);
  master.Round(now = now + Milliseconds(5));
  EXPECT_THAT(master.sent, IsEmpty()) << "opened anew: the plan is of before";
  EXPECT_EQ(master.gate.mode(), GateMode::kSolo);
  HeartbeatPlan next = master.MakePlan(HeartbeatRole::kLead, deputy);
  next.opening = Node::kOpening + 1;
  master.Publish(next);
  master.Round(now = now + Milliseconds(5));
  EXPECT_THAT(master.sent, SizeIs(1));
  EXPECT_EQ(master.gate.mode(), GateMode::kLeased);
  master.gate.Shut();
  master.Round(now = now + Milliseconds(5));
  EXPECT_THAT(master.sent, SizeIs(1)) << "shut while under lease: the deputy may go";
}

TEST_F(HeartbeatTest, AnotherDeputyNeedsAnotherOpening) {
  Bind();
  Node other(3);
  master.Publish(master.MakePlan(HeartbeatRole::kLead, other));
  other.Publish(other.MakePlan(HeartbeatRole::kFollow, master));
  const MonoTime rebound = now;
  for (; now < rebound + Milliseconds(40); now = now + kTick) {
    master.gate.NoteControlAlive(now);
    deputy.Round(now);
    other.Round(now, master.Take());
    master.Round(now, other.Take());
    ASSERT_FALSE(master.MayTransmit(now) && deputy.Reported(kMasterSilent));
  }
  EXPECT_EQ(master.TakeEvents(), (std::vector{kLeaseLost, kLeaseLapsed}));
  // The first deputy's late word counts no more.
  const Heartbeat ack{.kind = HeartbeatKind::kAck,
                      .to = master.identity.boot(),
                      .term = kTerm,
                      .sequence = 1,
                      .sent_at = now,
                      .lease = kD};
  master.Round(now, {Forge(deputy, ack)});
  EXPECT_EQ(master.last_reject, HeartbeatReject::kUnexpected);
  EXPECT_FALSE(master.MayTransmit(now));

  HeartbeatPlan plan = master.MakePlan(HeartbeatRole::kLead, other);
  plan.opening = Node::kOpening + 1;
  master.OpenSolo(now, plan.opening);
  master.Publish(plan);
  for (const MonoTime end = now + Milliseconds(40); now < end; now = now + kTick) {
    master.gate.NoteControlAlive(now);
    other.Round(now, master.Take());
    master.Round(now, other.Take());
    ASSERT_TRUE(master.MayTransmit(now));
  }
}

TEST_F(HeartbeatTest, TheDeputysJitterSetsTheLease) {
  Bind();
  EXPECT_EQ(master.heartbeater.status().lease, kD);
  RunCutUntil(now + Milliseconds(9));
  RunUntil(now + Milliseconds(20));
  // A gap of 9 to 12 ms: half as much again and an interval.
  EXPECT_GE(deputy.heartbeater.status().lease, Milliseconds(16));
  EXPECT_LE(deputy.heartbeater.status().lease, Milliseconds(21));
  EXPECT_EQ(deputy.heartbeater.status().lease, master.heartbeater.status().lease);
}

TEST_F(HeartbeatTest, TheLeaseBridgesTheGapsOfItsOwnLoop) {
  Bind();
  uint64_t stalls = 0;
  for (int i = 0; i < 20; ++i) {
    if (i == 10) stalls = master.gate.stalls();
    now = now + Milliseconds(9);
    master.gate.NoteControlAlive(now);
    for (int part = 0; part < 2; ++part) {
      deputy.Round(now, master.Take());
      master.Round(now, deputy.Take());
    }
  }
  EXPECT_GT(master.heartbeater.status().lease, Milliseconds(9 * 2));  // half of it is a stall
  EXPECT_GT(stalls, 0);
  EXPECT_EQ(master.gate.stalls(), stalls);
}

TEST_F(HeartbeatTest, TheDeadlineIsTheNextHeartbeat) {
  Bind();
  const MonoTime deadline = master.heartbeater.NextDeadline();
  EXPECT_GT(deadline, now - kTick);
  EXPECT_LE(deadline, now + Milliseconds(3));
  master.sent.clear();
  master.Round(deadline - Microseconds(1));
  EXPECT_THAT(master.sent, IsEmpty());
  master.Round(deadline);
  EXPECT_THAT(master.sent, SizeIs(1));
  EXPECT_EQ(Open(master, master.sent[0]).sent_at, deadline);
}

TEST_F(HeartbeatTest, RejectsWhatIsNotThePeers) {
  Bind();
  Node stranger(9);
  const auto reject = [&](Sealed datagram, HeartbeatReject why) {
    const MonoTime deadline = deputy.heartbeater.NextDeadline();
    const uint64_t before = deputy.Rejected(why);
    EXPECT_EQ(deputy.heartbeater.Receive(now, datagram), why);
    EXPECT_EQ(deputy.Rejected(why), before + 1);
    EXPECT_THAT(deputy.sent, IsEmpty());
    EXPECT_EQ(deputy.heartbeater.NextDeadline(), deadline);
  };
  Heartbeat heartbeat = NoteControlAlive(1'000);
  heartbeat.to = deputy.identity.boot();
  reject({}, HeartbeatReject::kMalformed);
  Sealed good = Forge(master, heartbeat);
  for (const size_t at : {size_t{0}, size_t{2}, size_t{3}}) {  // magic, version, channel
    Sealed bad = good;
    bad[at] ^= 0x40;
    reject(bad, HeartbeatReject::kMalformed);
  }
  reject(Sealed(good.begin(), good.end() - 1), HeartbeatReject::kMalformed);
  for (size_t at = 4; at < good.size(); ++at) {
    Sealed bad = good;
    bad[at] ^= 1;
    reject(bad, at >= 8 && at < 40 ? HeartbeatReject::kUnexpected : HeartbeatReject::kUnauthentic);
  }
  reject(Forge(stranger, heartbeat), HeartbeatReject::kUnexpected);
  Heartbeat misdirected = heartbeat;
  misdirected.to = stranger.identity.boot();
  reject(Forge(master, misdirected), HeartbeatReject::kUnexpected);
  Heartbeat ack = heartbeat;
  ack.kind = HeartbeatKind::kAck;
  reject(Forge(master, ack), HeartbeatReject::kUnexpected);
  Heartbeat impossible = heartbeat;
  impossible.lease = {};
  reject(Forge(master, impossible), HeartbeatReject::kMalformed);

  EXPECT_EQ(deputy.heartbeater.Receive(now, good), HeartbeatReject::kNone);
  deputy.sent.clear();
  reject(good, HeartbeatReject::kReplayed);
}

TEST_F(HeartbeatTest, AnAcknowledgementOfWhatWasNotSentIsNone) {
  Bind();
  Heartbeat ack{.kind = HeartbeatKind::kAck,
                .to = master.identity.boot(),
                .term = kTerm,
                .sequence = 100'000,
                .sent_at = now,
                .lease = kD};
  EXPECT_EQ(master.heartbeater.Receive(now, Forge(deputy, ack)), HeartbeatReject::kUnexpected);
  ack.sequence = 1;
  ack.sent_at = now + Seconds(1);
  EXPECT_EQ(master.heartbeater.Receive(now, Forge(deputy, ack)), HeartbeatReject::kUnexpected);
}

TEST_F(HeartbeatTest, WhatWasHeardOnceStaysHeardWhenThePeerChangesAndComesBack) {
  Bind();
  Heartbeat heartbeat = NoteControlAlive(1'000);
  heartbeat.to = deputy.identity.boot();
  const Sealed heard = Forge(master, heartbeat);
  deputy.Round(now, {heard});
  Node other(3);
  deputy.Publish(deputy.MakePlan(HeartbeatRole::kFollow, other, kNextTerm));
  deputy.Round(now);
  deputy.Publish(deputy.MakePlan(HeartbeatRole::kFollow, master));
  deputy.sent.clear();
  deputy.Round(now, {heard});
  EXPECT_EQ(deputy.last_reject, HeartbeatReject::kReplayed);
}

TEST_F(HeartbeatTest, ABeatToAnEarlierBootIsNotHeardByTheNext) {
  Bind();
  HeartbeatPlan rebooted = deputy.MakePlan(HeartbeatRole::kFollow, master);
  rebooted.boot.fill(0x77);
  Heartbeat heartbeat = NoteControlAlive(1'000);
  heartbeat.to = deputy.identity.boot();
  deputy.Publish(rebooted);
  deputy.Round(now, {Forge(master, heartbeat)});
  EXPECT_EQ(deputy.last_reject, HeartbeatReject::kUnexpected);
}

TEST(JitterWatch, AsksForHalfAsMuchAgainAndAnInterval) {
  const HeartbeatPlan plan;
  JitterWatch watch;
  EXPECT_EQ(watch.Wanted(plan), plan.first_lease);
  MonoTime now = kStart;
  for (; now < kStart + Seconds(4); now = now + Milliseconds(3)) watch.OnArrival(now);
  EXPECT_EQ(watch.Wanted(plan), plan.first_lease) << "not yet measured for long";
  for (; now < kStart + Seconds(5); now = now + Milliseconds(3)) watch.OnArrival(now);
  EXPECT_EQ(watch.Wanted(plan), plan.min_lease);
  now = now + Milliseconds(17);
  watch.OnArrival(now);
  EXPECT_EQ(watch.longest(), Milliseconds(20));
  EXPECT_EQ(watch.Wanted(plan), Milliseconds(33));
  for (const MonoTime end = now + Seconds(3); now < end; now = now + Milliseconds(3)) watch.OnArrival(now);
  EXPECT_EQ(watch.Wanted(plan), Milliseconds(33));
  for (const MonoTime end = now + Seconds(6); now < end; now = now + Milliseconds(3)) watch.OnArrival(now);
  EXPECT_EQ(watch.Wanted(plan), plan.min_lease) << "forgotten";
}

TEST(JitterWatch, OutagesAndInterruptionsAreNoJitter) {
  const HeartbeatPlan plan;
  JitterWatch watch;
  watch.OnArrival(kStart);
  watch.OnArrival(kStart + Milliseconds(3));
  watch.Interrupted();
  watch.OnArrival(kStart + Milliseconds(103));
  watch.OnArrival(kStart + Seconds(5));
  EXPECT_EQ(watch.longest(), Milliseconds(3));
  watch.OnArrival(kStart + Seconds(5) + JitterWatch::kLongestGap);
  EXPECT_EQ(watch.Wanted(plan), plan.max_lease);
}

}  // namespace qure
