// A flow has two sides: the table of docs/invariants.md row by row, and what it means for packets.
#include "dataplane/pipeline/flow_rules.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/harness.h"

namespace qure::testing {
namespace {

constexpr uint8_t kFin = 1;
constexpr uint8_t kSyn = 2;
constexpr uint8_t kRst = 4;
constexpr uint8_t kAck = 16;
constexpr uint16_t kNext = 700;  // what the kernel expects next, where it is known

enum class Side { kRemote, kKernel };

// An entry as the table has it: the state, and in letters what else is known. a: answered, n: the next number is known,
// f: a FIN waits for its acknowledgement, r: the remote side has ended, k: the kernel has.
struct Row {
  const char* name;
  const char* before;
  Side side;
  FlowSign sign;
  const char* after;
  uint16_t number = kNext;  // given by the remote side, or acknowledged by the kernel
  uint8_t protocol = kProtocolTcp;
  NodeSlot owner = kSelfSlot;
  bool pinned = false;
};

FlowEntry EntryOf(const Row& row) {
  FlowEntry entry;
  const std::string text = row.before;
  const std::string state = text.substr(0, text.find(' '));
  const std::string known = text.find(' ') == text.npos ? "" : text.substr(text.find(' ') + 1);
  for (size_t i = 0; i < kFlowStateNames.size(); ++i) {
    if (kFlowStateNames[i] == state) entry.state = static_cast<FlowState>(i);
  }
  const auto has = [&known](char letter) { return known.find(letter) != known.npos; };
  entry.key.protocol = row.protocol;
  entry.owner = row.owner;
  entry.pinned = row.pinned;
  entry.answered = has('a');
  entry.numbered = has('n');
  entry.finishing = has('f');
  entry.remote_ended = has('r');
  entry.kernel_ended = has('k');
  return entry;
}

std::string TextOf(const FlowEntry& entry) {
  std::string text(NameOf(entry.state));
  std::string known;
  if (entry.answered) known += 'a';
  if (entry.numbered) known += 'n';
  if (entry.finishing) known += 'f';
  if (entry.remote_ended) known += 'r';
  if (entry.kernel_ended) known += 'k';
  return known.empty() ? text : text + ' ' + known;
}

void Check(const Row& row) {
  FlowEntry entry = EntryOf(row);
  uint16_t expected = kNext;
  if (row.side == Side::kRemote) {
    OnRemotePacket(row.sign, {.given = row.number}, &entry, &expected);
  } else {
    OnKernelPacket(row.sign, {.acknowledged = row.number}, &entry, &expected);
  }
  EXPECT_EQ(TextOf(entry), row.after) << row.name;
}

constexpr auto kRemote = Side::kRemote;
constexpr auto kKernel = Side::kKernel;

// Frames of one remote host to a service of this node, and what its kernel answers.
class FlowSidesTest : public ::testing::Test {
 protected:
  static constexpr uint32_t kSequence = 1000;
  static constexpr uint32_t kAcknowledged = 2000;  // what the kernel expects next, as it says in each segment

  FlowSidesTest() {
    auto services = std::make_shared<ServiceMap>(*snapshot_.services);
    services->Add({.name = "datagrams", .protocol = kProtocolUdp, .first_port = 80, .last_port = 80});
    snapshot_.services = services;
    Use(kSelfSlot, kSelfSlot);
  }
  void Use(NodeSlot current, NodeSlot previous) { snapshot_.balance = OneOwner(current, previous, 2); }
  void Wait(Duration span) { now_ = now_ + span; }
  WorkerMemory memory() { return {.flows = {.table = &table_}, .now = FlowTimeOf(now_)}; }

  Reason Remote(uint8_t flags, uint16_t port = 40000, uint32_t sequence = kAcknowledged) {
    Bytes tcp = Tcp(kClient4, kService4, port, 80, flags, {});
    for (size_t i = 0; i < 4; ++i) tcp[4 + i] = static_cast<uint8_t>(sequence >> (24 - 8 * i));
    const Bytes frame =
        Build(Ether{kServiceMac4, kGatewayMac, 0x0800},
              Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = kProtocolTcp}, tcp));
    return Process(snapshot_, memory(), Direction::kFromLan, frame).reason;
  }
  void Kernel(uint8_t flags, uint16_t port = 40000, uint32_t acknowledged = kAcknowledged) {
    Bytes tcp = Tcp(kService4, kClient4, 80, port, flags, {});
    for (size_t i = 0; i < 4; ++i) tcp[8 + i] = static_cast<uint8_t>(acknowledged >> (24 - 8 * i));
    Process(snapshot_, memory(), Direction::kFromHost,
            Build(Ether{kGatewayMac, kNodeMac, 0x0800},
                  Build(Ip4Header{.source = kService4, .destination = kClient4, .protocol = kProtocolTcp}, tcp)));
  }
  Reason RemoteDatagram(uint16_t port) {
    return Process(snapshot_, memory(), Direction::kFromLan,
                   Build(Ether{kServiceMac4, kGatewayMac, 0x0800},
                         Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = kProtocolUdp},
                               Udp(kClient4, kService4, port, 80, {1}))))
        .reason;
  }
  void KernelDatagram(uint16_t port) {
    Process(snapshot_, memory(), Direction::kFromHost,
            Build(Ether{kGatewayMac, kNodeMac, 0x0800},
                  Build(Ip4Header{.source = kService4, .destination = kClient4, .protocol = kProtocolUdp},
                        Udp(kService4, kClient4, 80, port, {1}))));
  }
  void Connect(uint16_t port) {
    Remote(kSyn, port, kSequence);
    Kernel(kSyn | kAck, port);
    Remote(kAck, port);
  }
  const FlowEntry* Find(uint16_t port, uint8_t protocol = kProtocolTcp) {
    const FlowKey key = {MappedAddress(kClient4), Be16(port), Be16(uint16_t{80}), /*local_address=*/1, protocol};
    return table_.Find(key, table_.HashOf(key), FlowTimeOf(now_));
  }
  FlowState StateOf(uint16_t port, uint8_t protocol = kProtocolTcp) {
    const FlowEntry* const entry = Find(port, protocol);
    return entry == nullptr ? FlowState::kFree : entry->state;
  }
  // Whether its packets still reach this node when two balance epochs have given it to another.
  bool IsKept(uint16_t port) {
    Use(kPeer1, kPeer1);
    const bool kept = VerdictOf(Remote(kAck, port)) == Verdict::kHost;
    Use(kSelfSlot, kSelfSlot);
    return kept;
  }

  Snapshot snapshot_ = SiteSnapshot();
  FlowTable table_{kFlows, kFlowSeed};
  MonoTime now_{Seconds(1000).ns};
};

class FieldB3 : public FlowSidesTest {};
class FieldB4 : public FlowSidesTest {};

}  // namespace

TEST_F(FieldB4, AFlowIsProvisionalUntilTheKernelHasAnswered) {
  constexpr Row kRows[] = {
      {"SYN", "opening", kRemote, FlowSign::kOpens, "opening"},
      {"ACK out of nothing", "opening", kRemote, FlowSign::kGoesOn, "opening"},
      {"FIN out of nothing", "opening", kRemote, FlowSign::kFinishes, "opening"},
      {"RST out of nothing", "opening", kRemote, FlowSign::kResets, "opening"},
      {"no flag at all", "opening", kRemote, FlowSign::kStray, "opening"},
      {"SYN-ACK", "opening", kKernel, FlowSign::kOpens, "opening an"},
      {"the third of the handshake", "opening an", kRemote, FlowSign::kGoesOn, "established an"},
      {"no flag after a SYN-ACK", "opening an", kRemote, FlowSign::kStray, "opening an"},
      {"RST after a SYN-ACK", "opening an", kRemote, FlowSign::kResets, "opening an"},
      {"the kernel knows the connection", "opening", kKernel, FlowSign::kGoesOn, "established n"},
      {"and ends it", "opening", kKernel, FlowSign::kFinishes, "established nk"},
      {"the kernel does not know it", "opening", kKernel, FlowSign::kResets, "closing"},
      {"an embryo that junk was reset for", "closing a", kKernel, FlowSign::kOpens, "opening an"},
      {"which opened in the end", "closing a", kKernel, FlowSign::kGoesOn, "established an"},
      {"datagram", "opening", kRemote, FlowSign::kOpens, "opening", 0, kProtocolUdp},
      {"answer to a datagram", "opening", kKernel, FlowSign::kGoesOn, "datagrams", 0, kProtocolUdp},
  };
  for (const Row& row : kRows) Check(row);
}

TEST_F(FieldB3, AFlowEndsWhenBothSidesHave) {
  constexpr uint16_t kOther = 701;
  constexpr Row kRows[] = {
      {"FIN", "established an", kRemote, FlowSign::kFinishes, "established af"},
      {"acknowledged", "established af", kKernel, FlowSign::kGoesOn, "established anr"},
      {"not acknowledged", "established af", kKernel, FlowSign::kGoesOn, "established af", kOther},
      {"half-closed, the kernel sends on", "established anr", kKernel, FlowSign::kGoesOn, "established anr"},
      {"half-closed, the remote side acknowledges", "established anr", kRemote, FlowSign::kGoesOn, "established anr"},
      {"the other half", "established anr", kKernel, FlowSign::kFinishes, "closing anrk"},
      {"the kernel ends first", "established an", kKernel, FlowSign::kFinishes, "established ank"},
      {"the remote side sends on", "established ank", kRemote, FlowSign::kGoesOn, "established ank"},
      {"and ends", "established ank", kRemote, FlowSign::kFinishes, "established afk"},
      {"acknowledged: both have", "established afk", kKernel, FlowSign::kGoesOn, "closing anrk"},
      {"both at once", "established af", kKernel, FlowSign::kFinishes, "closing anrk"},
      {"the last acknowledgement", "closing anrk", kRemote, FlowSign::kGoesOn, "closing anrk"},
      {"again by the kernel", "closing anrk", kKernel, FlowSign::kGoesOn, "closing anrk"},
      {"RST of a wrong number", "established an", kRemote, FlowSign::kResets, "established an", kOther},
      {"RST of the right number", "established an", kRemote, FlowSign::kResets, "closing anrk"},
      {"RST while no number is known", "established a", kRemote, FlowSign::kResets, "established a"},
      {"RST of the number that a forged FIN gave", "established af", kRemote, FlowSign::kResets, "established af"},
      {"SYN", "established an", kRemote, FlowSign::kOpens, "established an"},
      {"reset by the kernel", "established an", kKernel, FlowSign::kResets, "closing an"},
      {"what the kernel had sent before the RST", "closing anrk", kKernel, FlowSign::kGoesOn, "closing anrk"},
  };
  for (const Row& row : kRows) Check(row);
}

TEST_F(FieldB3, WhatIsSeenOfAnothersFlowIsACache) {
  constexpr NodeSlot kPeer = kPeer1;
  constexpr uint8_t kTcp = kProtocolTcp;
  constexpr Row kRows[] = {
      {"ACK", "opening", kRemote, FlowSign::kGoesOn, "established", 0, kTcp, kPeer},
      {"FIN", "established", kRemote, FlowSign::kFinishes, "closing", 0, kTcp, kPeer},
      {"RST", "established", kRemote, FlowSign::kResets, "closing", 0, kTcp, kPeer},
      {"FIN of a pinned flow", "established", kRemote, FlowSign::kFinishes, "established", 0, kTcp, kPeer, true},
      {"RST of a pinned flow", "established", kRemote, FlowSign::kResets, "established", 0, kTcp, kPeer, true},
      {"no flag", "established", kRemote, FlowSign::kStray, "established", 0, kTcp, kPeer},
      {"datagram", "opening", kRemote, FlowSign::kOpens, "datagrams", 0, kProtocolUdp, kPeer},
  };
  for (const Row& row : kRows) Check(row);
}

TEST_F(FieldB3, AForgedResetDoesNotEndAConnection) {
  Connect(40000);
  ASSERT_EQ(StateOf(40000), FlowState::kEstablished);
  for (uint32_t wrong : {0U, kAcknowledged + 1, kAcknowledged - 1}) Remote(kRst, 40000, wrong);
  Remote(kFin | kAck, 40000, 5);
  Wait(Seconds(48));
  EXPECT_TRUE(IsKept(40000));
  Remote(kRst);
  Wait(Seconds(21));
  EXPECT_EQ(StateOf(40000), FlowState::kEstablished) << "a forged FIN has taken the number";
}

TEST_F(FieldB3, AResetOfTheRightNumberEndsIt) {
  Connect(40000);
  Remote(kRst);
  Wait(Seconds(21));
  EXPECT_EQ(Find(40000), nullptr);
}

// RFC 9293 §3.6: the client has sent its request and a FIN; the answer takes 48 seconds.
TEST_F(FieldB3, AHalfClosedConnectionLivesOn) {
  Connect(40000);
  Remote(kFin | kAck);
  Kernel(kAck, 40000, kAcknowledged + 1);
  ASSERT_EQ(StateOf(40000), FlowState::kEstablished);
  EXPECT_TRUE(Find(40000)->remote_ended);
  Wait(Seconds(48));
  EXPECT_TRUE(IsKept(40000));
  Kernel(kFin | kAck, 40000, kAcknowledged + 1);
  EXPECT_EQ(StateOf(40000), FlowState::kClosing);
  Wait(Seconds(21));
  EXPECT_EQ(Find(40000), nullptr);
}

// The 20 of 60 that were reset: no room was left for them.
TEST_F(FieldB4, WhatTheKernelDoesNotAnswerTakesNoRoomFromConnections) {
  for (uint16_t port = 10'000; port < 11'000; ++port) {
    for (uint8_t flags : {uint8_t{0}, kAck, uint8_t{kFin | kAck}, kRst}) Remote(flags, port);
    RemoteDatagram(port);
  }
  std::vector<uint16_t> ports;
  for (uint16_t port = 40'000; port < 40'060; ++port) {
    Connect(port);
    Kernel(kAck, port);
    ports.push_back(port);
    Remote(kAck, static_cast<uint16_t>(port - 20'000));
    RemoteDatagram(static_cast<uint16_t>(port - 20'000));
  }
  size_t lost = 0;
  for (uint16_t port : ports) lost += StateOf(port) == FlowState::kEstablished ? 0 : 1;
  EXPECT_LE(lost, 1U) << "of 60, in a table made for " << kFlows;
}

TEST_F(FieldB4, WhatIsNoSegmentOfAnyConnectionLeavesNothing) {
  Remote(0);
  Remote(kRst);
  EXPECT_EQ(table_.counts().flows, 0U);
}

TEST_F(FieldB4, AnAckOutOfNothingIsForgottenSoonAndAFlowIsNot) {
  Remote(kAck, 1);
  Connect(2);
  RemoteDatagram(3);
  RemoteDatagram(4);
  KernelDatagram(4);
  EXPECT_EQ(StateOf(1), FlowState::kOpening);
  EXPECT_EQ(StateOf(3, kProtocolUdp), FlowState::kOpening);
  EXPECT_EQ(StateOf(4, kProtocolUdp), FlowState::kDatagrams);
  Wait(Seconds(11));
  EXPECT_EQ(Find(1), nullptr);
  EXPECT_NE(Find(2), nullptr);
}

TEST_F(FieldB4, AConnectionThatIsOpenedWhileJunkIsResetOpens) {
  Remote(kSyn, 40000, kSequence);
  Kernel(kSyn | kAck);
  Remote(kAck, 40000, 77);
  Kernel(kRst);
  EXPECT_EQ(StateOf(40000), FlowState::kClosing);
  Remote(kAck);
  Kernel(kAck);
  EXPECT_EQ(StateOf(40000), FlowState::kEstablished);
}

}  // namespace qure::testing
