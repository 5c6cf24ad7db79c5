// Flows over several frames: what the flow table remembers, and what becomes of it.
#include <gtest/gtest.h>

#include <map>

#include "tests/support/harness.h"

namespace qure::testing {

namespace {

constexpr uint16_t kMoreFragments = 0x2000;
constexpr uint8_t kFin = 1;
constexpr uint8_t kSyn = 2;
constexpr uint8_t kRst = 4;
constexpr uint8_t kAck = 16;

class ForwarderTest : public ::testing::Test {
 protected:
  ForwarderTest() { Use(kPeer1, kSelfSlot); }

  void Use(NodeSlot current, NodeSlot previous) { snapshot_.balance = OneOwner(current, previous, 2); }
  void Lose(NodeSlot node) {
    auto balance = std::make_shared<Balance>(*snapshot_.balance);
    balance->nodes[node].present = false;
    snapshot_.balance = balance;
  }
  void GiveUp(NodeSlot node) {
    auto balance = std::make_shared<Balance>(*snapshot_.balance);
    balance->nodes[node].given_up = true;
    snapshot_.balance = balance;
  }
  void Wait(Duration span) { now_ = now_ + span; }

  Outcome FromLan(const Bytes& frame) {
    return Process(snapshot_, {.flows = {.table = &table_, .requests = &requests_}, .now = FlowTimeOf(now_)},
                   Direction::kFromLan, frame);
  }
  Outcome FromHost(const Bytes& frame) {
    return Process(snapshot_, {.flows = {.table = &table_}, .now = FlowTimeOf(now_)}, Direction::kFromHost, frame);
  }
  Outcome Tcp4(uint8_t flags, const MacAddress& to = kServiceMac4, uint16_t from_port = 40000) {
    return FromLan(Build(Ether{to, kGatewayMac, 0x0800},
                         Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = 6},
                               Tcp(kClient4, kService4, from_port, 80, flags, {}))));
  }
  Outcome KernelSends(uint8_t flags) {
    return FromHost(Build(Ether{kGatewayMac, kNodeMac, 0x0800},
                          Build(Ip4Header{.source = kService4, .destination = kClient4, .protocol = 6},
                                Tcp(kService4, kClient4, 80, 40000, flags, {}))));
  }
  // A piece of one UDP datagram of 32 bytes to the balanced port 80 of UDP.
  Outcome Fragment(bool first, uint16_t id, const MacAddress& to = kServiceMac4) {
    Bytes whole = Udp(kClient4, kService4, 40000, 80, Bytes(24, 'x'));
    const Bytes half = first ? Bytes(whole.begin(), whole.begin() + 16) : Bytes(whole.begin() + 16, whole.end());
    return FromLan(
        Build(Ether{to, kGatewayMac, 0x0800}, Build(Ip4Header{.source = kClient4,
                                                              .destination = kService4,
                                                              .protocol = 17,
                                                              .id = id,
                                                              .fragment = first ? kMoreFragments : uint16_t{2}},
                                                    half)));
  }
  void BalanceUdp() {
    auto services = std::make_shared<ServiceMap>(*snapshot_.services);
    services->Add({.name = "datagrams", .protocol = kProtocolUdp, .first_port = 80, .last_port = 80});
    snapshot_.services = services;
  }

  static MacAddress Target(const Outcome& outcome) {
    MacAddress mac;
    std::copy_n(outcome.frame.begin(), mac.bytes.size(), mac.bytes.begin());
    return mac;
  }

  static FlowKey KeyOfClient(uint16_t port) {
    return {MappedAddress(kClient4), Be16(port), Be16(uint16_t{80}), /*local_address=*/1, kProtocolTcp};
  }

  Snapshot snapshot_ = SiteSnapshot();
  FlowTable table_{kFlows, kFlowSeed};
  RequestWatch requests_;
  MonoTime now_{Seconds(1000).ns};
};

#define EXPECT_WAY(outcome, why, mac)              \
  do {                                             \
    const Outcome o = (outcome);                   \
    EXPECT_EQ(NameOf(o.reason), NameOf(why));      \
    EXPECT_EQ(ToString(Target(o)), ToString(mac)); \
  } while (false)

}  // namespace

TEST_F(ForwarderTest, AFlowStaysWithItsOwnerWhateverTheTableSaysLater) {
  EXPECT_WAY(Tcp4(kSyn), Reason::forward_new, kPeer1Hop0);
  Use(kPeer2, kPeer2);
  EXPECT_WAY(Tcp4(kAck), Reason::forward_flow, kPeer1Hop0);
  EXPECT_WAY(Tcp4(kFin | kAck), Reason::forward_flow, kPeer1Hop0);
  EXPECT_WAY(Tcp4(kSyn, kServiceMac4, 40001), Reason::forward_new, kPeer2Hop0);
  Use(kSelfSlot, kPeer2);
  EXPECT_WAY(Tcp4(kAck, kServiceMac4, 40001), Reason::forward_flow, kPeer2Hop0);
}

TEST_F(ForwarderTest, OurOwnFlowStaysWithUs) {
  Use(kSelfSlot, kSelfSlot);
  EXPECT_WAY(Tcp4(kSyn), Reason::host_service, kNodeMac);
  Use(kPeer1, kPeer2);
  EXPECT_WAY(Tcp4(kAck), Reason::host_service, kNodeMac);
}

TEST_F(ForwarderTest, AFlowWhoseOwnerIsGoneGoesByTheTable) {
  Tcp4(kSyn);
  Use(kPeer2, kPeer1);
  Lose(kPeer1);
  EXPECT_WAY(Tcp4(kAck), Reason::forward_table, kPeer2Hop0);
}

TEST_F(ForwarderTest, AFlowThatIsGivenUpGoesByTheTable) {
  Tcp4(kSyn);
  Use(kPeer2, kPeer1);
  GiveUp(kPeer1);
  EXPECT_WAY(Tcp4(kAck), Reason::forward_table, kPeer2Hop0);
}

TEST_F(ForwarderTest, OurOwnFlowThatIsGivenUpToo) {
  Use(kSelfSlot, kSelfSlot);
  Tcp4(kSyn);
  Use(kPeer2, kSelfSlot);
  GiveUp(kSelfSlot);
  EXPECT_WAY(Tcp4(kAck), Reason::forward_table, kPeer2Hop0);
}

TEST_F(ForwarderTest, WhoGetsAFlowThatIsGivenUpKeepsItForItsKernelToReset) {
  Use(kSelfSlot, kPeer1);
  EXPECT_WAY(Tcp4(kAck, kNodeMac), Reason::forward_second_chance, kPeer1Hop1);
  GiveUp(kPeer1);
  EXPECT_WAY(Tcp4(kAck, kNodeMac), Reason::host_owner, kNodeMac);
}

TEST_F(ForwarderTest, AClosedSocketThatOpensAgainIsANewFlow) {
  Tcp4(kSyn);
  Tcp4(kAck);
  Tcp4(kFin | kAck);
  Use(kPeer2, kPeer1);
  EXPECT_WAY(Tcp4(kSyn), Reason::forward_new, kPeer2Hop0);
  EXPECT_WAY(Tcp4(kAck), Reason::forward_flow, kPeer2Hop0);
}

// Otherwise its owner would take it for closed for ever, and never report it.
TEST_F(ForwarderTest, ASocketThatOpensAgainLivesAgainAtItsOwner) {
  for (const MacAddress& entrance : {kNodeMac, kNodeMacHop1}) {
    Tcp4(kSyn, entrance);
    Tcp4(kAck, entrance);
    KernelSends(kRst);
    Tcp4(kSyn, entrance);
    KernelSends(kSyn | kAck);
    Tcp4(kAck, entrance);
    const FlowKey key = KeyOfClient(40000);
    const FlowEntry* const entry = table_.Find(key, table_.HashOf(key), FlowTimeOf(now_));
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->owner, kSelfSlot);
    EXPECT_EQ(entry->state, FlowState::kEstablished);
    KernelSends(kRst);
  }
}

TEST_F(ForwarderTest, ARepeatedSynStaysWhereItWent) {
  Tcp4(kSyn);
  Use(kPeer2, kPeer1);
  EXPECT_WAY(Tcp4(kSyn), Reason::forward_flow, kPeer1Hop0);
}

TEST_F(ForwarderTest, SilentFlowsAreForgotten) {
  Tcp4(kSyn);
  Use(kPeer2, kPeer2);
  Wait(Seconds(11));
  EXPECT_WAY(Tcp4(kSyn), Reason::forward_new, kPeer2Hop0);
  Tcp4(kAck);
  Use(kPeer1, kPeer2);
  Wait(Seconds(200));
  EXPECT_WAY(Tcp4(kAck), Reason::forward_flow, kPeer2Hop0);
  Wait(Seconds(310));
  EXPECT_WAY(Tcp4(kAck), Reason::forward_table, kPeer1Hop0);
}

TEST_F(ForwarderTest, AnOwnerKeepsWhatItHasTaken) {
  EXPECT_WAY(Tcp4(kSyn, kNodeMac), Reason::host_owner, kNodeMac);
  Use(kPeer1, kPeer2);
  EXPECT_WAY(Tcp4(kAck, kNodeMac), Reason::host_owner, kNodeMac);
  EXPECT_WAY(Tcp4(kAck, kNodeMacHop1), Reason::host_second_chance, kNodeMac);
}

TEST_F(ForwarderTest, AnOldFlowIsKeptOnceItHasHadItsSecondChance) {
  EXPECT_WAY(Tcp4(kAck, kNodeMacHop1), Reason::host_second_chance, kNodeMac);
  Use(kSelfSlot, kPeer2);
  EXPECT_WAY(Tcp4(kAck, kNodeMac), Reason::host_owner, kNodeMac);
}

TEST_F(ForwarderTest, TheTableOfSharesIsNotBelievedWhereTheOwnerIsKnown) {
  const FlowKey key = KeyOfClient(40000);
  FlowEntry* const entry = table_.Insert(key, table_.HashOf(key), FlowTimeOf(now_));
  entry->owner = kPeer2;
  entry->state = FlowState::kEstablished;
  entry->pinned = true;
  EXPECT_WAY(Tcp4(kAck), Reason::forward_flow, kPeer2Hop0);
  EXPECT_WAY(Tcp4(kAck, kNodeMac), Reason::forward_second_chance, kPeer2Hop1);
  Lose(kPeer2);
  EXPECT_WAY(Tcp4(kAck, kNodeMac), Reason::host_owner, kNodeMac);
}

TEST_F(ForwarderTest, AResetOfTheKernelEndsTheFlow) {
  Use(kSelfSlot, kSelfSlot);
  Tcp4(kSyn);
  Tcp4(kAck);
  EXPECT_WAY(KernelSends(kRst), Reason::lan_host, kGatewayMac);
  Wait(Seconds(21));
  Use(kPeer1, kPeer1);
  EXPECT_WAY(Tcp4(kAck), Reason::forward_table, kPeer1Hop0);
}

TEST_F(ForwarderTest, FragmentsFollowTheFirst) {
  BalanceUdp();
  EXPECT_WAY(Fragment(true, 7), Reason::forward_new, kPeer1Hop0);
  Use(kPeer2, kPeer2);
  EXPECT_WAY(Fragment(false, 7), Reason::forward_fragment, kPeer1Hop0);
  EXPECT_WAY(Fragment(false, 8), Reason::host_fragment, kNodeMac);
  EXPECT_WAY(Fragment(true, 9, kNodeMac), Reason::host_owner, kNodeMac);
  EXPECT_WAY(Fragment(false, 9, kNodeMac), Reason::host_fragment, kNodeMac);
}

TEST_F(ForwarderTest, WithoutRoomFlowsGoByTheTable) {
  Use(kPeer1, kPeer2);
  uint64_t sent = 0;
  for (uint16_t port = 1; port < 2000; ++port) {
    Tcp4(kSyn, kServiceMac4, port);
    sent += Target(Tcp4(kAck, kServiceMac4, port)) == kPeer1Hop0 ? 1 : 0;
  }
  EXPECT_EQ(sent, 1999U);
  EXPECT_GT(table_.counts().displaced, 0U);
}

// The master has a newer epoch, whose previous one is our current.
TEST_F(ForwarderTest, WhoLagsAnEpochBehindPassesOnWhatItDoesNotKnow) {
  Use(kPeer1, kPeer2);
  EXPECT_EQ(Target(Tcp4(kAck, kNodeMac)), kPeer1Hop1);
  EXPECT_EQ(Tcp4(kSyn, kNodeMac, 40001).reason, Reason::host_owner);
}

// A heavy hitter's connections of before stay where they are: the second chance is by the address alone.
TEST_F(ForwarderTest, AHeavyHitterIsSpreadAndItsOldFlowsStay) {
  auto services = std::make_shared<ServiceMap>(*snapshot_.services);
  services->services[0].affinity = Affinity::kAdaptive;
  snapshot_.services = services;
  auto balance = std::make_shared<Balance>(*snapshot_.balance);
  auto rows = std::make_shared<LookupTable>(kLookupTableSize);
  for (size_t row = 0; row < kLookupTableSize; ++row) (*rows)[row] = row % 2 == 0 ? kPeer1 : kPeer2;
  balance->current.services[0] = rows;
  balance->previous.services[0] = rows;
  snapshot_.balance = balance;
  HeavyHitterDetector watch(kFlowSeed);
  watch.SetThreshold(50);
  const auto targets = [&] {
    std::map<MacAddress, int> counts;
    for (uint16_t port = 1; port <= 100; ++port) {
      FlowTable empty(kFlows, kFlowSeed);
      const Bytes syn = Build(Ether{kServiceMac4, kGatewayMac, 0x0800},
                              Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = 6},
                                    Tcp(kClient4, kService4, port, 80, kSyn, {})));
      const Outcome out =
          Process(snapshot_, {.flows = {.table = &empty, .heavy_hitters = &watch}, .now = FlowTimeOf(now_)},
                  Direction::kFromLan, syn);
      ++counts[Target(out)];
    }
    return counts;
  };
  EXPECT_EQ(targets().size(), 1U);
  EXPECT_EQ(watch.Take().size(), 1U);

  auto promoted = std::make_shared<Balance>(*balance);
  promoted->current.heavy_hitters = {MappedAddress(kClient4)};
  snapshot_.balance = promoted;
  for (const auto& [mac, count] : targets()) EXPECT_NEAR(count, 50, 25);

  // At an owner by the socket that does not know the flow: to the one by the address.
  const NodeSlot old = OwnerIn(*promoted, promoted->previous, *services, 1, KeyOfClient(7));
  auto ours = std::make_shared<Balance>(*promoted);
  ours->current.services[0] = std::make_shared<const LookupTable>(kLookupTableSize, kSelfSlot);
  snapshot_.balance = ours;
  EXPECT_EQ(Target(Tcp4(kAck, kNodeMac, 7)), old == kPeer1 ? kPeer1Hop1 : kPeer2Hop1);
}

TEST_F(ForwarderTest, FlowsSpreadByTheTable) {
  auto balance = std::make_shared<Balance>(*snapshot_.balance);
  auto rows = std::make_shared<LookupTable>(kLookupTableSize);
  for (size_t row = 0; row < kLookupTableSize; ++row) (*rows)[row] = static_cast<NodeSlot>(row % 3);
  balance->current.services[0] = rows;
  snapshot_.balance = balance;
  int ours = 0;
  for (uint16_t port = 1; port <= 3000; ++port) {
    ours += Tcp4(kSyn, kServiceMac4, port).reason == Reason::host_service ? 1 : 0;
  }
  EXPECT_NEAR(ours, 1000, 150);

  auto services = std::make_shared<ServiceMap>(*snapshot_.services);
  services->services[0].affinity = Affinity::kAddress;
  snapshot_.services = services;
  const MacAddress first = Target(Tcp4(kSyn, kServiceMac4, 5000));
  for (uint16_t port = 5001; port < 5100; ++port) EXPECT_EQ(Target(Tcp4(kSyn, kServiceMac4, port)), first);
}

// The service's check fails on some nodes, and works on others.
class FieldB1 : public ForwarderTest {
 protected:
  FieldB1() { BalanceUdp(); }
  // As a balance epoch does that is decided for it: others have its shares.
  void Fail(NodeSlot node, NodeSlot others) {
    Use(others, node);
    auto balance = std::make_shared<Balance>(*snapshot_.balance);
    balance->unhealthy.resize(2);
    for (auto& nodes : balance->unhealthy) nodes.set(node);
    snapshot_.balance = balance;
  }
  Outcome Datagram(const MacAddress& to = kServiceMac4) {
    return FromLan(Build(Ether{to, kGatewayMac, 0x0800},
                         Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = kProtocolUdp},
                               Udp(kClient4, kService4, 40000, 80, {1}))));
  }
  Outcome KernelSendsDatagram() {
    return FromHost(Build(Ether{kGatewayMac, kNodeMac, 0x0800},
                          Build(Ip4Header{.source = kService4, .destination = kClient4, .protocol = kProtocolUdp},
                                Udp(kService4, kClient4, 80, 40000, {1}))));
  }
};

TEST_F(FieldB1, DatagramsLeaveANodeThatDoesNotWork) {
  EXPECT_WAY(Datagram(), Reason::forward_new, kPeer1Hop0);
  EXPECT_WAY(Datagram(), Reason::forward_flow, kPeer1Hop0);
  Fail(kPeer1, kPeer2);
  EXPECT_WAY(Datagram(), Reason::forward_new, kPeer2Hop0);
  Use(kPeer1, kPeer2);  // it works again
  EXPECT_WAY(Datagram(), Reason::forward_flow, kPeer2Hop0);
}

TEST_F(FieldB1, TheyLeaveThisNodeTooThoughItHasAnswered) {
  Use(kSelfSlot, kSelfSlot);
  EXPECT_WAY(Datagram(), Reason::host_service, kNodeMac);
  KernelSendsDatagram();
  Fail(kSelfSlot, kPeer2);
  EXPECT_WAY(Datagram(), Reason::forward_new, kPeer2Hop0);
}

TEST_F(FieldB1, ANodeThatOnlyHasNoShareKeepsItsFlows) {
  EXPECT_WAY(Datagram(), Reason::forward_new, kPeer1Hop0);
  Use(kPeer2, kPeer1);
  EXPECT_WAY(Datagram(), Reason::forward_flow, kPeer1Hop0);
}

TEST_F(FieldB1, AConnectionThatWasNeverAnsweredLeavesAndAnOpenOneStays) {
  EXPECT_WAY(Tcp4(kSyn), Reason::forward_new, kPeer1Hop0);
  EXPECT_WAY(Tcp4(kSyn, kServiceMac4, 40001), Reason::forward_new, kPeer1Hop0);
  EXPECT_WAY(Tcp4(kAck, kServiceMac4, 40001), Reason::forward_flow, kPeer1Hop0);
  Fail(kPeer1, kPeer2);
  EXPECT_WAY(Tcp4(kSyn), Reason::forward_new, kPeer2Hop0);
  EXPECT_WAY(Tcp4(kAck), Reason::forward_flow, kPeer2Hop0);
  EXPECT_WAY(Tcp4(kAck, kServiceMac4, 40001), Reason::forward_flow, kPeer1Hop0);
}

TEST_F(FieldB1, OurOwnStaysOnceOurKernelHasAnsweredItsSyn) {
  Use(kSelfSlot, kSelfSlot);
  Tcp4(kSyn);
  KernelSends(kSyn | kAck);
  Tcp4(kSyn, kServiceMac4, 40001);
  Fail(kSelfSlot, kPeer2);
  EXPECT_WAY(Tcp4(kSyn), Reason::host_service, kNodeMac);
  EXPECT_WAY(Tcp4(kSyn, kServiceMac4, 40001), Reason::forward_new, kPeer2Hop0);
}

// The service has delivery = "multicast", and the gateway sends to all nodes. Others hold the address, but for Lead.
class GroupTest : public ForwarderTest {
 protected:
  GroupTest() {
    auto services = std::make_shared<ServiceMap>(*snapshot_.services);
    services->services[0].multicast = true;
    snapshot_.services = services;
    snapshot_.addresses_v4[0].to_all = true;
    snapshot_.addresses_v4[0].serving = false;
  }
  void Lead() { snapshot_.addresses_v4[0].serving = true; }
  void Settle() {
    auto balance = std::make_shared<Balance>(*snapshot_.balance);
    balance->settled = true;
    snapshot_.balance = balance;
  }
  Outcome ToAll(uint8_t flags, uint16_t from_port = 40000) { return Tcp4(flags, GroupMac(kServiceMac4), from_port); }
  void Know(NodeSlot owner, bool pinned) {
    const FlowKey key = KeyOfClient(40000);
    FlowEntry* const entry = table_.Insert(key, table_.HashOf(key), FlowTimeOf(now_));
    entry->owner = owner;
    entry->state = FlowState::kEstablished;
    entry->pinned = pinned;
  }
};

TEST_F(GroupTest, EachTakesItsShareAndNobodyElses) {
  Use(kSelfSlot, kSelfSlot);
  EXPECT_WAY(ToAll(kSyn), Reason::host_owner, kNodeMac);
  EXPECT_WAY(ToAll(kAck), Reason::host_owner, kNodeMac);
  Use(kPeer1, kPeer1);
  EXPECT_EQ(ToAll(kSyn, 40001).reason, Reason::other_owner);
  EXPECT_EQ(ToAll(kAck, 40001).reason, Reason::other_owner);
  Lead();
  EXPECT_EQ(ToAll(kSyn, 40002).reason, Reason::other_owner);
  EXPECT_EQ(ToAll(kAck, 40002).reason, Reason::other_owner);
}

TEST_F(GroupTest, UntilAllGoByTheEpochNewFlowsGoToThePreviousOwner) {
  Use(kSelfSlot, kPeer1);
  EXPECT_WAY(ToAll(kSyn), Reason::forward_second_chance, kPeer1Hop1);
  EXPECT_WAY(ToAll(kAck), Reason::forward_second_chance, kPeer1Hop1);
  Settle();
  EXPECT_WAY(ToAll(kAck), Reason::forward_second_chance, kPeer1Hop1);
  EXPECT_WAY(ToAll(kSyn, 40001), Reason::host_owner, kNodeMac);
  EXPECT_WAY(ToAll(kAck, 40001), Reason::host_owner, kNodeMac);
  Use(kSelfSlot, kPeer2);
  EXPECT_WAY(ToAll(kAck), Reason::forward_second_chance, kPeer1Hop1);  // known, whichever node was the previous owner
  Use(kSelfSlot, kPeer1);
  Lose(kPeer1);
  EXPECT_WAY(ToAll(kSyn, 40002), Reason::host_owner, kNodeMac);
}

class FieldB2 : public GroupTest {};

TEST_F(FieldB2, NewFlowsAreNotHandedOnToAPreviousOwnerThatDoesNotWork) {
  Use(kSelfSlot, kPeer1);
  auto balance = std::make_shared<Balance>(*snapshot_.balance);
  balance->unhealthy.resize(2);
  balance->unhealthy[0].set(kPeer1);
  snapshot_.balance = balance;
  EXPECT_WAY(ToAll(kSyn), Reason::host_owner, kNodeMac);
}

// The previous owner takes what is handed to it, and by the epoch before it takes the same by itself.
TEST_F(GroupTest, ThePreviousOwnerKeepsItsFlowsButLeavesThemToTheNewOne) {
  Use(kSelfSlot, kSelfSlot);
  ToAll(kSyn);
  ToAll(kAck);
  Use(kPeer1, kSelfSlot);
  EXPECT_EQ(ToAll(kAck).reason, Reason::other_owner);
  EXPECT_WAY(Tcp4(kAck, kNodeMacHop1), Reason::host_second_chance, kNodeMac);
  EXPECT_WAY(Tcp4(kSyn, kNodeMacHop1, 40001), Reason::host_second_chance, kNodeMac);
}

TEST_F(GroupTest, AnPinnedFlowGoesToItsOwner) {
  Know(kPeer2, /*pinned=*/true);
  Use(kSelfSlot, kSelfSlot);
  EXPECT_WAY(ToAll(kAck), Reason::forward_second_chance, kPeer2Hop1);
  EXPECT_WAY(ToAll(kSyn), Reason::forward_second_chance, kPeer2Hop1);  // late, of the same flow
  Lose(kPeer2);
  EXPECT_WAY(ToAll(kAck), Reason::host_owner, kNodeMac);
  Know(kPeer2, /*pinned=*/true);
  Use(kPeer1, kPeer1);
  Lead();
  EXPECT_EQ(ToAll(kAck).reason, Reason::other_owner);
}

TEST_F(GroupTest, WhatIsNotAnsweredIsTold) {
  EXPECT_TRUE(ToAll(kSyn).events.empty());
  Wait(Milliseconds(100));
  EXPECT_TRUE(ToAll(kSyn).events.empty());  // the network's duplicate
  Wait(Seconds(1));
  const Outcome again = ToAll(kSyn);
  EXPECT_EQ(again.reason, Reason::other_owner);
  ASSERT_EQ(again.events.size(), 1U);
  EXPECT_EQ(again.events[0].kind, EventKind::kUnanswered);
  EXPECT_EQ(again.events[0].slot, kPeer1);
  Wait(Seconds(9));
  EXPECT_TRUE(ToAll(kSyn).events.empty());
  ToAll(kAck, 40001);
  Wait(Seconds(1));
  EXPECT_TRUE(ToAll(kAck, 40001).events.empty());
}

TEST_F(GroupTest, TheMasterSendsWhatIsNotAnsweredByItself) {
  Lead();
  ToAll(kSyn);
  Wait(Seconds(1));
  EXPECT_WAY(ToAll(kSyn), Reason::forward_unanswered, kPeer1Hop0);
  EXPECT_WAY(ToAll(kAck), Reason::forward_unanswered, kPeer1Hop0);
  EXPECT_EQ(ToAll(kAck, 40001).reason, Reason::other_owner);
  // The next flow of the same socket is its owner's again.
  ToAll(kRst);
  Wait(Seconds(9));
  EXPECT_EQ(ToAll(kSyn).reason, Reason::other_owner);
  EXPECT_EQ(ToAll(kAck).reason, Reason::other_owner);
}

// An IPv4 packet has an identification even if it is no fragment.
TEST_F(GroupTest, DatagramsAreNoRequestsButDnsQueriesAre) {
  BalanceUdp();
  auto services = std::make_shared<ServiceMap>(*snapshot_.services);
  services->Add({.name = "names", .protocol = kProtocolUdp, .first_port = 53, .last_port = 53});
  for (Service& service : services->services) service.multicast = true;
  snapshot_.services = services;
  snapshot_.balance = OneOwner(kPeer1, kPeer1, 3);
  const auto datagram = [&](uint16_t port) {
    return FromLan(Build(Ether{GroupMac(kServiceMac4), kGatewayMac, 0x0800},
                         Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = 17, .id = 7},
                               Udp(kClient4, kService4, 40000, port, Bytes(12, 1)))));
  };
  for (const uint16_t port : {uint16_t{80}, uint16_t{53}}) {
    EXPECT_TRUE(datagram(port).events.empty());
    Wait(Seconds(1));
    EXPECT_EQ(datagram(port).events.size(), port == 53 ? 1U : 0U) << port;
  }
}

TEST_F(GroupTest, WhoIsNotReadyTakesNothing) {
  Use(kSelfSlot, kSelfSlot);
  auto balance = std::make_shared<Balance>(*snapshot_.balance);
  balance->ready = false;
  snapshot_.balance = balance;
  EXPECT_EQ(ToAll(kSyn).reason, Reason::other_owner);
  EXPECT_WAY(Tcp4(kAck, kNodeMacHop1), Reason::host_second_chance, kNodeMac);
}

TEST_F(GroupTest, OtherServicesAndPortsAreTheMasters) {
  auto services = std::make_shared<ServiceMap>(*snapshot_.services);
  services->services[0].multicast = false;
  snapshot_.services = services;
  EXPECT_EQ(ToAll(kSyn).reason, Reason::other_owner);
  const auto to_ssh = [&] {
    return FromLan(Build(Ether{GroupMac(kServiceMac4), kGatewayMac, 0x0800},
                         Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = 6},
                               Tcp(kClient4, kService4, 40000, 22, kSyn, {}))));
  };
  EXPECT_EQ(to_ssh().reason, Reason::not_serving);
  Lead();
  EXPECT_WAY(ToAll(kSyn), Reason::forward_new, kPeer1Hop0);
  EXPECT_EQ(to_ssh().reason, Reason::host_service);
}

TEST_F(GroupTest, OnlyTheHolderAnswersAndBySourceItIsAsBefore) {
  const auto ping = [&](const MacAddress& to) {
    return FromLan(Build(
        Ether{to, kGatewayMac, 0x0800},
        Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = 1}, Icmp4(8, 0, EchoBody(1, 1, 8)))));
  };
  const auto source = [](const Outcome& outcome) {
    MacAddress mac;
    std::copy_n(outcome.frame.begin() + 6, mac.bytes.size(), mac.bytes.begin());
    return mac;
  };
  EXPECT_EQ(ping(GroupMac(kServiceMac4)).reason, Reason::not_serving);
  Lead();
  const Outcome answer = ping(GroupMac(kServiceMac4));
  EXPECT_EQ(answer.reason, Reason::echo_reply);
  EXPECT_EQ(source(answer), kServiceMac4);
  EXPECT_EQ(ping(kServiceMac4).reason, Reason::echo_reply);                // of a cache that remembers it
  EXPECT_EQ(ping(GroupMac(kServiceMac6)).reason, Reason::ip_group_frame);  // no address of ours is there
}

TEST_F(GroupTest, ArpNamesTheGroupAndComesFromTheServiceMac) {
  const auto who_has = [&](const MacAddress& mac, const Ipv4Address& ip) {
    return FromLan(Pad(Build(Ether{kBroadcastMac, kGatewayMac, 0x0806}, Build(Arp{1, mac, ip, {}, kService4}))));
  };
  EXPECT_EQ(who_has(kGatewayMac, kGateway4).reason, Reason::not_serving);
  Lead();
  const Outcome answer = who_has(kGatewayMac, kGateway4);
  EXPECT_EQ(answer.reason, Reason::arp_reply);
  EXPECT_EQ(answer.frame, Pad(Build(Ether{kGatewayMac, kServiceMac4, 0x0806},
                                    Build(Arp{2, GroupMac(kServiceMac4), kService4, kGatewayMac, kGateway4}))));
  // Another node of the cluster uses the address; no other host is at a group address (RFC 1812 §3.3.2).
  const Outcome ours = who_has(GroupMac(kServiceMac4), kService4);
  ASSERT_EQ(ours.events.size(), 1U);
  EXPECT_EQ(ours.events[0].kind, EventKind::kAddressUsed);
  EXPECT_EQ(who_has(GroupMac(kStrangerMac), kService4).reason, Reason::arp_sender_mismatch);
}

TEST_F(GroupTest, LaterFragmentsAreTakenWhereTheFirstOneWas) {
  BalanceUdp();
  auto services = std::make_shared<ServiceMap>(*snapshot_.services);
  services->services[1].multicast = true;
  snapshot_.services = services;
  const MacAddress group = GroupMac(kServiceMac4);
  EXPECT_EQ(Fragment(true, 7, group).reason, Reason::other_owner);
  EXPECT_EQ(Fragment(false, 7, group).reason, Reason::other_owner);
  Use(kSelfSlot, kSelfSlot);
  EXPECT_EQ(Fragment(true, 8, group).reason, Reason::host_owner);
  EXPECT_EQ(Fragment(false, 8, group).reason, Reason::host_fragment);
}

}  // namespace qure::testing
