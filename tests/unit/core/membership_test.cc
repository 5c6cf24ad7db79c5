#include "control/core/cluster/membership.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "control/core/timers.h"
#include "control/core/wire.h"

namespace qure {
namespace {

using Kind = MemberChange::Kind;

constexpr MonoTime kStart{1'000'000'000'000};

NodeId Id(int number) {
  return {static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number), 0xaa};
}
BootId Boot(uint8_t number) {
  return {number, 0xbb};
}

class MembershipTest : public ::testing::Test {
 protected:
  MembershipTest() { transport_.Configure({.open = true}); }

  wire::Hello MakeHello(int node) const {
    wire::Hello hello;
    hello.set_name("node");
    hello.set_node_uptime_ms(static_cast<uint64_t>((now_ - kStart).ns / 1'000'000));
    hello.set_priority(node);
    return hello;
  }
  std::vector<MemberChange> Hear(int node, uint8_t boot, const wire::Hello& hello,
                                 Delivery delivery = Delivery::kMulticast) {
    Incoming incoming{.node = Id(node), .boot = Boot(boot), .delivery = delivery};
    incoming.from.mac.bytes[5] = boot;
    *incoming.message.mutable_hello() = hello;
    return members_.OnMessage(now_, incoming, &incoming.message.hello());
  }
  std::vector<MemberChange> Hear(int node, uint8_t boot, Delivery delivery = Delivery::kMulticast) {
    return Hear(node, boot, MakeHello(node), delivery);
  }
  std::vector<MemberChange> HearMaster(int node, uint8_t boot) {
    wire::Hello hello = MakeHello(node);
    hello.set_master(WriteId(Id(node)));
    return Hear(node, boot, hello);
  }
  std::vector<MemberChange> HearOther(int node, uint8_t boot) {
    Incoming incoming{.node = Id(node), .boot = Boot(boot)};
    incoming.message.mutable_query();
    return members_.OnMessage(now_, incoming, nullptr);
  }
  // Ticks at each deadline until `end`; what changed, and when.
  std::vector<std::pair<MonoTime, MemberChange>> RunUntil(MonoTime end) {
    std::vector<std::pair<MonoTime, MemberChange>> changes;
    while (members_.deadline() <= end) {
      now_ = std::max(now_, members_.deadline());
      Actions out;
      for (const MemberChange& change : members_.Tick(now_, &transport_, &out)) changes.emplace_back(now_, change);
      pings_ += out.size();
    }
    now_ = end;
    return changes;
  }

  MonoTime now_ = kStart;
  std::mt19937_64 random_{1};
  Membership members_{Id(1)};
  Transport transport_{Id(1), Boot(1), random_};
  size_t pings_ = 0;
};

testing::AssertionResult Is(const std::vector<MemberChange>& changes, Kind kind, int node) {
  if (changes.size() == 1 && changes[0].kind == kind && changes[0].node == Id(node)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << changes.size() << " changes";
}

TEST_F(MembershipTest, OnlyAHelloMakesAMember) {
  EXPECT_TRUE(HearOther(2, 1).empty());
  EXPECT_EQ(members_.Find(Id(2)), nullptr);
  EXPECT_TRUE(Is(Hear(2, 1), Kind::kJoined, 2));
  EXPECT_TRUE(Hear(2, 1).empty());
  EXPECT_EQ(members_.present_count(), 2);
  EXPECT_EQ(members_.Find(Id(2))->state, MemberState::kAlive);
}

TEST_F(MembershipTest, SilenceIsAskedAboutThenDeath) {
  Hear(2, 1);
  const auto changes = RunUntil(kStart + Seconds(2));
  ASSERT_EQ(changes.size(), 1);
  EXPECT_EQ(changes[0].second.kind, Kind::kDown);
  EXPECT_EQ(changes[0].first, kStart + kHelloLeast * kSuspectAfterIntervals + kPingInterval * kPings);
  EXPECT_EQ(pings_, static_cast<size_t>(kPings));
  EXPECT_EQ(members_.Find(Id(2))->state, MemberState::kDown);
  EXPECT_EQ(members_.present_count(), 1);
}

TEST_F(MembershipTest, TheMasterIsSuspectedSooner) {
  HearMaster(2, 1);
  const auto changes = RunUntil(kStart + Seconds(2));
  ASSERT_EQ(changes.size(), 1);
  EXPECT_EQ(changes[0].first, kStart + kHelloMaster * kSuspectAfterIntervals + kPingInterval * kPings);
}

TEST_F(MembershipTest, AnySignOfLifeEndsSuspicion) {
  Hear(2, 1);
  RunUntil(kStart + kHelloLeast * kSuspectAfterIntervals + kPingInterval);
  ASSERT_EQ(members_.Find(Id(2))->state, MemberState::kSuspect);
  EXPECT_TRUE(HearOther(2, 1).empty());
  EXPECT_EQ(members_.Find(Id(2))->state, MemberState::kAlive);
  EXPECT_TRUE(RunUntil(now_ + kHelloLeast * kSuspectAfterIntervals).empty());
}

class FieldE1Membership : public MembershipTest {};

// A HELLO that was missed and is repeated later by anybody keeps no dead node alive, and moves none.
TEST_F(FieldE1Membership, AnOvertakenMessageProvesNothing) {
  Hear(2, 1);
  const MacAddress there = members_.Find(Id(2))->at.mac;
  RunUntil(kStart + kHelloLeast * kSuspectAfterIntervals);
  Incoming late{.node = Id(2), .boot = Boot(1), .overtaken = true};
  late.from.mac.bytes[5] = 9;
  *late.message.mutable_hello() = MakeHello(2);
  EXPECT_TRUE(members_.OnMessage(now_, late, &late.message.hello()).empty());
  EXPECT_EQ(members_.Find(Id(2))->at.mac, there);
  EXPECT_EQ(members_.Find(Id(2))->last_heard, kStart);
  const auto changes = RunUntil(kStart + Seconds(2));
  ASSERT_EQ(changes.size(), 1);
  EXPECT_EQ(changes[0].second.kind, Kind::kDown);
  EXPECT_TRUE(members_.OnMessage(now_, late, &late.message.hello()).empty());
  EXPECT_EQ(members_.Find(Id(2))->state, MemberState::kDown);
}

class FieldE2Membership : public MembershipTest {};

// While junk takes the place of its messages, what the heartbeater accepts keeps the other side of the lease present;
// a node whose control thread is silent for long is down all the same.
TEST_F(FieldE2Membership, AcceptedHeartbeatsAreLifeForAWhile) {
  Hear(2, 1);
  for (MonoTime at = kStart; at <= kStart + kHeartbeatLife; at = at + Milliseconds(50)) {
    EXPECT_TRUE(RunUntil(at).empty());
    members_.OnHeartbeats(at, Id(2));
    members_.OnHeartbeats(at, Id(9));
  }
  EXPECT_EQ(pings_, 0U);
  std::vector<std::pair<MonoTime, MemberChange>> changes;
  for (MonoTime at = now_; at < kStart + Seconds(3); at = at + Milliseconds(50)) {
    for (const auto& change : RunUntil(at)) changes.push_back(change);
    members_.OnHeartbeats(at, Id(2));
  }
  ASSERT_EQ(changes.size(), 1);
  EXPECT_EQ(changes[0].second.kind, Kind::kDown);
}

TEST_F(MembershipTest, SuspectAsksAtOnceButNotTwiceNorTheDead) {
  Hear(2, 1);
  members_.Suspect(now_, Id(2));
  members_.Suspect(now_, Id(9));
  EXPECT_EQ(members_.deadline(), now_);
  RunUntil(now_ + kPingInterval);
  members_.Suspect(now_, Id(2));  // goes on, does not begin anew
  const auto changes = RunUntil(kStart + kPingInterval * kPings);
  ASSERT_EQ(changes.size(), 1);
  const MonoTime before = members_.deadline();
  members_.Suspect(now_, Id(2));
  EXPECT_EQ(members_.Find(Id(2))->state, MemberState::kDown);
  EXPECT_EQ(members_.deadline(), before);
}

TEST_F(MembershipTest, AStallOfOursCountsAgainstNoNode) {
  Hear(2, 1);
  Hear(3, 1);
  members_.Suspect(now_, Id(3));
  now_ = now_ + Seconds(5);
  members_.Pardon(now_);
  EXPECT_EQ(members_.Find(Id(3))->state, MemberState::kAlive);
  EXPECT_TRUE(RunUntil(now_ + kHelloLeast * kSuspectAfterIntervals).empty());
  EXPECT_EQ(RunUntil(now_ + Seconds(1)).size(), 2) << "but their silence goes on";
}

TEST_F(MembershipTest, PardonDoesNotRaiseTheDead) {
  Hear(2, 1);
  RunUntil(kStart + Seconds(1));
  members_.Pardon(now_);
  EXPECT_EQ(members_.Find(Id(2))->state, MemberState::kDown);
}

TEST_F(MembershipTest, TheDeadComesBackUnderTheSameBoot) {
  Hear(2, 1);
  RunUntil(kStart + Seconds(1));
  EXPECT_TRUE(HearOther(2, 1).empty());
  EXPECT_EQ(members_.Find(Id(2))->state, MemberState::kDown) << "only a HELLO takes it up again";
  EXPECT_TRUE(Is(Hear(2, 1), Kind::kJoined, 2));
}

TEST_F(MembershipTest, AGoodbyeIsNotOvertakenByEarlierHellos) {
  Hear(2, 1);
  EXPECT_TRUE(Is(members_.OnGoodbye(now_, Id(2), Boot(1)), Kind::kLeft, 2));
  EXPECT_TRUE(members_.OnGoodbye(now_, Id(2), Boot(1)).empty());
  now_ = now_ + kLateFrames / 2;
  EXPECT_TRUE(Hear(2, 1).empty());
  EXPECT_EQ(members_.Find(Id(2))->state, MemberState::kLeft);
  EXPECT_TRUE(RunUntil(now_ + Seconds(5)).empty()) << "no query for it";
  EXPECT_TRUE(Is(Hear(2, 1), Kind::kJoined, 2)) << "it stayed after all";
}

TEST_F(MembershipTest, AGoodbyeOfAnotherBootOrNodeChangesNothing) {
  Hear(2, 1);
  now_ = now_ + Seconds(3);
  Hear(2, 2);
  EXPECT_TRUE(members_.OnGoodbye(now_, Id(2), Boot(1)).empty());
  EXPECT_TRUE(members_.OnGoodbye(now_, Id(9), Boot(1)).empty());
  EXPECT_TRUE(members_.Find(Id(2))->present());
}

TEST_F(MembershipTest, ADeadOneThatSaidGoodbyeIsReportedOnce) {
  Hear(2, 1);
  RunUntil(kStart + Seconds(1));
  EXPECT_TRUE(members_.OnGoodbye(now_, Id(2), Boot(1)).empty());
}

TEST_F(MembershipTest, ARebootIsAnotherBootAndTheOldOneSilent) {
  Hear(2, 1);
  now_ = now_ + Seconds(3);
  EXPECT_TRUE(HearOther(2, 2).empty());
  const std::vector<MemberChange> changes = Hear(2, 2);
  ASSERT_TRUE(Is(changes, Kind::kRebooted, 2));
  EXPECT_EQ(changes[0].over, Boot(1));
  EXPECT_EQ(members_.Find(Id(2))->boot, Boot(2));
  EXPECT_EQ(members_.Find(Id(2))->first_heard, now_);
  EXPECT_EQ(members_.Find(Id(2))->at.mac.bytes[5], 2);
  for (int i = 0; i < 50; ++i) {
    RunUntil(now_ + kHelloLeast);
    EXPECT_TRUE(Hear(2, 2).empty());
  }
}

TEST_F(MembershipTest, LateFramesOfTheOldBootChangeNothing) {
  Hear(2, 1);
  now_ = now_ + Seconds(3);
  Hear(2, 2);
  EXPECT_TRUE(Hear(2, 1).empty());
  EXPECT_TRUE(HearOther(2, 1).empty());
  EXPECT_EQ(members_.Find(Id(2))->boot, Boot(2));
  members_.OnGoodbye(now_, Id(2), Boot(2));
  EXPECT_TRUE(Hear(2, 1).empty()) << "also not when the new one is gone at once";
  EXPECT_EQ(members_.Find(Id(2))->state, MemberState::kLeft);
}

TEST_F(MembershipTest, ClonesSpeakByTurns) {
  ASSERT_TRUE(Is(Hear(2, 1), Kind::kJoined, 2));
  int clones = 0;
  for (int i = 0; i < 40; ++i) {
    RunUntil(now_ + kHelloLeast / 2);
    for (const MemberChange& change : Hear(2, i % 2 ? 1 : 2)) {
      EXPECT_EQ(change.kind, Kind::kClone);
      ++clones;
    }
    EXPECT_EQ(members_.Find(Id(2))->boot, Boot(1)) << "the one that goes on speaking";
  }
  EXPECT_EQ(clones, 1) << "reported once in a while, not by each frame";
}

TEST_F(MembershipTest, ThreeClonesAreNotAnEndlessReboot) {
  int reboots = 0;
  int clones = 0;
  for (int i = 0; i < 60; ++i) {
    RunUntil(now_ + Milliseconds(50));
    for (const MemberChange& change : Hear(2, static_cast<uint8_t>(1 + i % 3))) {
      reboots += change.kind == Kind::kRebooted;
      clones += change.kind == Kind::kClone;
    }
  }
  EXPECT_LE(reboots, 2);
  EXPECT_GE(clones, 1);
}

TEST_F(MembershipTest, TheCloneThatStaysIsTheNode) {
  Hear(2, 1);
  now_ = now_ + kRebootQuiet;
  Hear(2, 2);
  now_ = now_ + kLateFrames + Milliseconds(1);
  EXPECT_TRUE(Is(Hear(2, 1), Kind::kClone, 2));
  members_.OnGoodbye(now_, Id(2), Boot(2));  // it takes a new identity
  const std::vector<MemberChange> changes = Hear(2, 1);
  EXPECT_TRUE(Is(changes, Kind::kRebooted, 2));
  EXPECT_EQ(changes[0].over, Boot(2));
  EXPECT_EQ(members_.Find(Id(2))->boot, Boot(1));
}

TEST_F(MembershipTest, SomebodyHasOurOwnIdentity) {
  EXPECT_TRUE(Is(Hear(1, 9), Kind::kClone, 1));
  EXPECT_EQ(members_.Find(Id(1)), nullptr);
}

TEST_F(MembershipTest, AnOvertakenHelloTakesNothingBack) {
  wire::Hello later = MakeHello(2);
  later.set_node_uptime_ms(2000);
  later.set_ready(true);
  Hear(2, 1, later);
  wire::Hello earlier = MakeHello(2);
  earlier.set_node_uptime_ms(1999);
  now_ = now_ + Milliseconds(5);
  Hear(2, 1, earlier);
  EXPECT_TRUE(members_.Find(Id(2))->hello.ready());
  EXPECT_EQ(members_.Find(Id(2))->last_heard, now_);
}

TEST_F(MembershipTest, NamesAreTamed) {
  wire::Hello hello = MakeHello(2);
  hello.set_name(
      "\x1b[2Jk\xc3\xbc"
      "che\n");
  hello.set_revision("1\t2");
  Hear(2, 1, hello);
  EXPECT_EQ(members_.Find(Id(2))->hello.name(),
            "?[2Jk\xc3\xbc"
            "che?");
  EXPECT_EQ(members_.Find(Id(2))->hello.revision(), "1?2");
}

TEST_F(MembershipTest, TheTableIsBounded) {
  for (size_t i = 0; i < kMaxMembers; ++i) Hear(static_cast<int>(2 + i), 1);
  ASSERT_EQ(members_.all().size(), kMaxMembers);
  EXPECT_TRUE(Hear(5000, 1).empty());
  EXPECT_EQ(members_.refused(), 1);
  members_.OnGoodbye(now_ + Seconds(1), Id(7), Boot(1));
  members_.OnGoodbye(now_, Id(8), Boot(1));
  EXPECT_TRUE(Is(Hear(5000, 1), Kind::kJoined, 5000)) << "who is gone makes room";
  EXPECT_EQ(members_.Find(Id(8)), nullptr) << "the one gone for longest";
  EXPECT_NE(members_.Find(Id(7)), nullptr);
  EXPECT_EQ(members_.all().size(), kMaxMembers);
}

TEST_F(MembershipTest, TheDeadAreForgottenInTheEnd) {
  Hear(2, 1);
  RunUntil(kStart + kForgetDown);
  EXPECT_NE(members_.Find(Id(2)), nullptr);
  RunUntil(kStart + kForgetDown + Seconds(1));
  EXPECT_EQ(members_.Find(Id(2)), nullptr);
  EXPECT_EQ(members_.deadline(), kNever);
}

TEST_F(MembershipTest, HelloRateIsBounded) {
  EXPECT_EQ(members_.HelloInterval(true), kHelloMaster);
  EXPECT_EQ(members_.HelloInterval(false), kHelloLeast);
  for (int node = 2; node <= 200; ++node) {
    Hear(node, 1);
    const double members = node - 1;
    const double rate = 1e9 / static_cast<double>(kHelloMaster.ns) +
                        members * 1e9 / static_cast<double>(members_.HelloInterval(false).ns);
    EXPECT_LE(rate, 100) << node;
  }
}

TEST_F(MembershipTest, RankIsPriorityThenWeightThenId) {
  EXPECT_LT((Rank{.priority = 1, .weight = 9}), (Rank{.priority = 2, .weight = 1}));
  EXPECT_LT((Rank{.priority = 1, .weight = 1, .node = Id(9)}), (Rank{.priority = 1, .weight = 2, .node = Id(2)}));
  EXPECT_LT((Rank{.priority = 1, .weight = 1, .node = Id(2)}), (Rank{.priority = 1, .weight = 1, .node = Id(3)}));
  wire::Hello hello = MakeHello(2);
  hello.set_priority(-5);
  hello.set_weight(3);
  Hear(2, 1, hello);
  EXPECT_EQ(members_.Find(Id(2))->rank(), (Rank{.priority = -5, .weight = 3, .node = Id(2)}));
}

// ------------------------------------------------------------------------------------------------------ way to all

TEST_F(MembershipTest, OneOfTenGoesByBroadcastToo) {
  uint64_t both = 0;
  for (uint64_t i = 0; i < 5 * kBroadcastEvery; ++i) {
    const Transport::Way way = members_.NextWay(now_);
    EXPECT_NE(way, Transport::Way::kBroadcast);
    both += way == Transport::Way::kBoth;
  }
  EXPECT_EQ(both, 5);
}

TEST_F(MembershipTest, WhoSaysThatItMissesMulticastIsReached) {
  wire::Hello hello = MakeHello(2);
  hello.set_multicast_missing(true);
  Hear(2, 1, hello);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(members_.NextWay(now_), Transport::Way::kBoth);
  RunUntil(now_ + Seconds(1));  // it is dead
  uint64_t both = 0;
  for (uint64_t i = 0; i < kBroadcastEvery; ++i) both += members_.NextWay(now_) == Transport::Way::kBoth;
  EXPECT_EQ(both, 1);
}

TEST_F(MembershipTest, MissingMulticastIsFoundAndItsReturnToo) {
  const auto hear_for = [&](Duration span, bool multicast) {
    int hello = 0;
    for (const MonoTime end = now_ + span; now_ < end; now_ = now_ + kHelloLeast) {
      if (multicast) Hear(2, 1, Delivery::kMulticast);
      if (++hello % kBroadcastEvery == 0) Hear(2, 1, Delivery::kBroadcast);
    }
  };
  hear_for(Seconds(20), true);
  EXPECT_FALSE(members_.MissesMulticast(now_));
  hear_for(kMulticastMissing + Seconds(2), false);
  EXPECT_TRUE(members_.MissesMulticast(now_));
  EXPECT_EQ(members_.NextWay(now_), Transport::Way::kBoth);
  Hear(2, 1, Delivery::kMulticast);
  EXPECT_FALSE(members_.MissesMulticast(now_));
}

TEST_F(MembershipTest, MulticastIsNotMissedOfTheSilentNorOfTheSlow) {
  Hear(2, 1);
  EXPECT_TRUE(RunUntil(now_ + Milliseconds(300)).empty());
  for (int i = 0; i < 100; ++i) {
    RunUntil(now_ + Milliseconds(300));
    HearOther(2, 1);  // active, but neither way brings HELLOs
  }
  EXPECT_FALSE(members_.MissesMulticast(now_));
  // With very many nodes the HELLOs are so rare that the next one by multicast is long in coming.
  for (int node = 3; node < 250; ++node) Hear(node, 1);
  Hear(2, 1, Delivery::kMulticast);
  now_ = now_ + Milliseconds(1);
  Hear(2, 1, Delivery::kBroadcast);
  EXPECT_FALSE(members_.MissesMulticast(now_ + members_.HelloInterval(false)));
}

TEST(MemberState, Names) {
  const std::set<std::string_view> names{NameOf(MemberState::kAlive), NameOf(MemberState::kSuspect),
                                         NameOf(MemberState::kDown), NameOf(MemberState::kLeft)};
  EXPECT_EQ(names, (std::set<std::string_view>{"alive", "suspect", "down", "left"}));
}

}  // namespace
}  // namespace qure
