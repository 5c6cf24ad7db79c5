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
  void Wait(Duration span) { now_ = now_ + span; }

  Outcome FromLan(const Bytes& frame) {
    return Process(snapshot_, {.table = &table_, .now = FlowTimeOf(now_)}, Direction::kFromLan, frame);
  }
  Outcome FromHost(const Bytes& frame) {
    return Process(snapshot_, {.table = &table_, .now = FlowTimeOf(now_)}, Direction::kFromHost, frame);
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
  EXPECT_WAY(Tcp4(kAck), Reason::forward_share, kPeer2Hop0);
}

TEST_F(ForwarderTest, AClosedSocketThatOpensAgainIsANewFlow) {
  Tcp4(kSyn);
  Tcp4(kAck);
  Tcp4(kFin | kAck);
  Use(kPeer2, kPeer1);
  EXPECT_WAY(Tcp4(kSyn), Reason::forward_new, kPeer2Hop0);
  EXPECT_WAY(Tcp4(kAck), Reason::forward_flow, kPeer2Hop0);
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
  EXPECT_WAY(Tcp4(kAck), Reason::forward_share, kPeer1Hop0);
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
  entry->exception = true;
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
  EXPECT_WAY(Tcp4(kAck), Reason::forward_share, kPeer1Hop0);
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
  EXPECT_GT(table_.counts().refused, 0U);
}

// The master has a newer epoch, whose previous one is our current.
TEST_F(ForwarderTest, WhoLagsAnEpochBehindPassesOnWhatItDoesNotKnow) {
  Use(kPeer1, kPeer2);
  EXPECT_EQ(Target(Tcp4(kAck, kNodeMac)), kPeer1Hop1);
  EXPECT_EQ(Tcp4(kSyn, kNodeMac, 40001).reason, Reason::host_owner);
}

// A crowd's connections of before stay where they are: the second chance is by the address alone.
TEST_F(ForwarderTest, ACrowdIsSpreadAndItsOldFlowsStay) {
  auto services = std::make_shared<ServiceMap>(*snapshot_.services);
  services->services[0].affinity = Affinity::kAdaptive;
  snapshot_.services = services;
  auto balance = std::make_shared<Balance>(*snapshot_.balance);
  auto rows = std::make_shared<ShareTable>(kShareRows);
  for (size_t row = 0; row < kShareRows; ++row) (*rows)[row] = row % 2 == 0 ? kPeer1 : kPeer2;
  balance->current.services[0] = rows;
  balance->previous.services[0] = rows;
  snapshot_.balance = balance;
  CrowdWatch watch(kFlowSeed);
  watch.SetThreshold(50);
  const auto targets = [&] {
    std::map<MacAddress, int> counts;
    for (uint16_t port = 1; port <= 100; ++port) {
      FlowTable empty(kFlows, kFlowSeed);
      const Bytes syn = Build(Ether{kServiceMac4, kGatewayMac, 0x0800},
                              Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = 6},
                                    Tcp(kClient4, kService4, port, 80, kSyn, {})));
      const Outcome out =
          Process(snapshot_, {.table = &empty, .crowds = &watch, .now = FlowTimeOf(now_)}, Direction::kFromLan, syn);
      ++counts[Target(out)];
    }
    return counts;
  };
  EXPECT_EQ(targets().size(), 1U);
  EXPECT_EQ(watch.Take().size(), 1U);

  auto promoted = std::make_shared<Balance>(*balance);
  promoted->current.crowds = {MappedAddress(kClient4)};
  snapshot_.balance = promoted;
  for (const auto& [mac, count] : targets()) EXPECT_NEAR(count, 50, 25);

  // At an owner by the socket that does not know the flow: to the one by the address.
  const NodeSlot old = OwnerIn(*promoted, promoted->previous, *services, 1, KeyOfClient(7));
  auto ours = std::make_shared<Balance>(*promoted);
  ours->current.services[0] = std::make_shared<const ShareTable>(kShareRows, kSelfSlot);
  snapshot_.balance = ours;
  EXPECT_EQ(Target(Tcp4(kAck, kNodeMac, 7)), old == kPeer1 ? kPeer1Hop1 : kPeer2Hop1);
}

TEST_F(ForwarderTest, FlowsSpreadByTheTable) {
  auto balance = std::make_shared<Balance>(*snapshot_.balance);
  auto rows = std::make_shared<ShareTable>(kShareRows);
  for (size_t row = 0; row < kShareRows; ++row) (*rows)[row] = static_cast<NodeSlot>(row % 3);
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

}  // namespace qure::testing
