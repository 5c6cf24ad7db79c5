// The worker's part in the cluster: what goes to the control thread, what to the heartbeater, what the heartbeater
// sends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "proto/cluster/envelope.h"
#include "proto/cluster/heartbeat.h"
#include "proto/net/udp_frame.h"
#include "tests/unit/dataplane/worker_fixture.h"

namespace qure {
namespace {

using namespace qure::testing;  // NOLINT: frames, addresses and the site
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Bytes TcpSyn(const MacAddress& to, const MacAddress& from, const Ipv4Address& source, const Ipv4Address& destination) {
  return Pad(Build(Ether{to, from, 0x0800},
                   Build(Ip4Header{source, destination, 6}, Tcp(source, destination, 40000, 80, 2, {}))));
}

const MacAddress kPeerMac = Mac("02:22:22:22:22:20");
const Ipv4Address kPeer4 = Ip4("198.51.100.12");
const Ipv4Address kGroup = Ip4("239.81.82.1");
constexpr Term kTerm{.era = 1, .epoch = 2, .holder = 3};
constexpr uint64_t kOpening = 1;  // of the fixture

class WorkerClusterTest : public WorkerTest {
 protected:
  void SetUp() override {
    WorkerTest::SetUp();
    Follow(HeartbeatRole::kSilent);
  }

  HeartbeatPlan Plan(HeartbeatRole role) const {
    HeartbeatPlan plan;
    plan.role = role;
    plan.term = kTerm;
    plan.opening = kOpening;
    plan.self = NodeId{1};
    plan.boot = BootId{11};
    plan.send_key = {.id = 1, .key = SessionKey{1}};
    plan.mac = kNodeMac;
    plan.address = kNode4;
    plan.peer = {.node = NodeId{2},
                 .boot = BootId{12},
                 .mac = kPeerMac,
                 .address = kPeer4,
                 .keys = {{.id = 1, .key = SessionKey{2}}}};
    return plan;
  }
  void Follow(HeartbeatRole role, uint16_t vlan = 0) {
    Snapshot snapshot = SiteSnapshot();
    snapshot.vlan = vlan;
    snapshot.cluster_port = kDefaultClusterPort;
    snapshot.cluster_group = kGroup;
    snapshot.node_address = kNode4;
    const ClusterPeer peer{.node = NodeId{2}, .boot = BootId{12}, .mac = kPeerMac};
    snapshot.cluster_peers = std::make_shared<const ClusterPeers>(ClusterPeers{peer});
    snapshot.heartbeater = std::make_shared<const HeartbeatPlan>(Plan(role));
    Publish(std::move(snapshot));
  }

  // As an envelope begins, and then `text`.
  static Bytes Envelope(const BootId& boot, const Bytes& text) {
    const EnvelopeHeader header{.magic = Be16(kEnvelopeMagic),
                                .version = kEnvelopeVersion,
                                .channel = static_cast<uint8_t>(Channel::kControl),
                                .key_id = Be32(1),
                                .sender = NodeId{2},
                                .boot = boot,
                                .counter = Be64(1),
                                .salt = {}};
    Bytes bytes(kEnvelopeOverhead);
    std::memcpy(bytes.data(), &header, sizeof(header));
    bytes.insert(bytes.end(), text.begin(), text.end());
    return bytes;
  }
  static Bytes Known(const Bytes& text) { return Envelope(BootId{12}, text); }
  static Bytes Unknown(const Bytes& text) { return Envelope(BootId{13}, text); }
  std::vector<Datagram> Take() const { return TakeMessages(world_.cluster); }

  Bytes FromPeer(const Ipv4Address& to, const Bytes& payload) const {
    Bytes frame(kUdpFrameHeaders + payload.size());
    WriteUdpFrame({.ethernet_source = kPeerMac,
                   .ethernet_destination = DestinationMac(to, kNodeMac),
                   .source = kPeer4,
                   .destination = to,
                   .source_port = kDefaultClusterPort,
                   .destination_port = kDefaultClusterPort},
                  payload, frame);
    return frame;
  }
  Bytes PeersHeartbeat(HeartbeatKind kind, uint64_t sequence = 1, MonoTime sent_at = {}) {
    const Heartbeat heartbeat{.kind = kind,
                              .binding = kind == HeartbeatKind::kRequest,
                              .to = BootId{11},
                              .term = kTerm,
                              .sequence = sequence,
                              .sent_at = sent_at,
                              .lease = Milliseconds(15),
                              .control_liveness = 1};
    std::array<uint8_t, kHeartbeatSize> plain;
    WriteHeartbeat(heartbeat, plain);
    Bytes sealed;
    Seal(SessionKey{2},
         {.magic = Be16(kEnvelopeMagic),
          .version = kEnvelopeVersion,
          .channel = static_cast<uint8_t>(Channel::kHeartbeat),
          .key_id = Be32(1),
          .sender = NodeId{2},
          .boot = BootId{12},
          .counter = Be64(++counter_),
          .salt = {}},
         plain, &sealed);
    return FromPeer(kNode4, sealed);
  }
  // The heartbeat in a frame that the heartbeater has sent.
  static Heartbeat Sent(const Bytes& frame) {
    std::array<uint8_t, kHeartbeatSize> plain{};
    EXPECT_EQ(frame.size(), kUdpFrameHeaders + kEnvelopeOverhead + kHeartbeatSize);
    EXPECT_TRUE(Unseal(SessionKey{1}, ConstBytes(frame).subspan(kUdpFrameHeaders), plain));
    return ReadHeartbeat(plain).value_or(Heartbeat{});
  }
  std::vector<EventKind> TakeEventKinds() {
    std::vector<EventKind> kinds;
    for (const Event& event : world_.TakeEvents()) kinds.push_back(event.kind);
    return kinds;
  }

  uint64_t counter_ = 0;
};

TEST_F(WorkerClusterTest, HandsMessagesToTheControlThread) {
  FromLan(FromPeer(kGroup, Known({1, 2, 3})));
  FromLan(FromPeer(kLimitedBroadcast, Known({4})));
  FromLan(FromPeer(kNode4, Known({})));
  EXPECT_EQ(worker_.RunOnce(), 3U);
  EXPECT_TRUE(ControlWoken());
  const std::vector<Datagram> taken = Take();
  ASSERT_THAT(taken, SizeIs(3));
  EXPECT_EQ(taken[0].payload, Known({1, 2, 3}));
  EXPECT_EQ(taken[0].delivery, Delivery::kMulticast);
  EXPECT_EQ(taken[0].mac, kPeerMac);
  EXPECT_EQ(taken[1].payload, Known({4}));
  EXPECT_EQ(taken[1].delivery, Delivery::kBroadcast);
  EXPECT_EQ(taken[2].payload, Known({}));
  EXPECT_EQ(taken[2].delivery, Delivery::kUnicast);
  EXPECT_EQ(LanCount(Reason::cluster_message), 3U);
  EXPECT_EQ(AllCounts(), 3U);
  EXPECT_THAT(world_.host.Take(), IsEmpty());
  EXPECT_THAT(world_.lan.Take(), IsEmpty());
}

TEST_F(WorkerClusterTest, ReadsMessagesBehindATag) {
  Follow(HeartbeatRole::kSilent, 7);
  Bytes frame = FromPeer(kNode4, Known({9, 8}));
  const Bytes tag = {0x81, 0, 0, 7};
  frame.insert(frame.begin() + 12, tag.begin(), tag.end());
  FromLan(frame);
  worker_.RunOnce();
  const std::vector<Datagram> taken = Take();
  ASSERT_THAT(taken, SizeIs(1));
  EXPECT_EQ(taken[0].payload, Known({9, 8}));
}

TEST_F(WorkerClusterTest, CountsAndFreesMessagesBeyondTheRing) {
  for (unsigned round = 0; round < 3; ++round) {
    for (size_t i = 0; i < kBurst; ++i) FromLan(FromPeer(kGroup, Known({1})));
    worker_.RunOnce();
  }
  EXPECT_EQ(LanCount(Reason::cluster_message), kPortRingCapacity);
  EXPECT_EQ(LanCount(Reason::cluster_full), 3 * kBurst - kPortRingCapacity);
  EXPECT_THAT(Take(), SizeIs(kPortRingCapacity));
}

class FieldE2Worker : public WorkerClusterTest {};

// What unknown boots send fills a ring of its own, and is looked at last.
TEST_F(FieldE2Worker, StrangersFillTheirOwnRing) {
  for (uint8_t round = 0; round < 3; ++round) {
    for (uint8_t i = 0; i < kBurst; ++i) FromLan(FromPeer(kGroup, Envelope(BootId{round, i}, {1})));
    worker_.RunOnce();
  }
  EXPECT_EQ(LanCount(Reason::cluster_stranger), kPortRingCapacity);
  FromLan(FromPeer(kGroup, Known({7})));
  worker_.RunOnce();
  EXPECT_EQ(LanCount(Reason::cluster_message), 1U);
  const std::vector<Datagram> taken = Take();
  ASSERT_THAT(taken, SizeIs(1 + kPortRingCapacity));
  EXPECT_EQ(taken[0].payload, Known({7}));
}

// Nodes without keys, and who plays one, wait behind the cluster and behind each other.
TEST_F(WorkerClusterTest, AdoptionsFillTheirOwnRing) {
  const Bytes candidate = {'Q', 'R', kEnvelopeVersion, static_cast<uint8_t>(Channel::kAdmission), 1, 0, 0, 0};
  for (unsigned round = 0; round < 3; ++round) {
    for (size_t i = 0; i < kBurst; ++i) FromLan(FromPeer(kGroup, candidate));
    worker_.RunOnce();
  }
  EXPECT_EQ(LanCount(Reason::cluster_adoption), kPortRingCapacity);
  EXPECT_EQ(LanCount(Reason::cluster_full), 3 * kBurst - kPortRingCapacity);
  FromLan(FromPeer(kGroup, Unknown({1})));
  FromLan(FromPeer(kGroup, Known({7})));
  worker_.RunOnce();
  const std::vector<Datagram> taken = Take();
  ASSERT_THAT(taken, SizeIs(2 + kPortRingCapacity));
  EXPECT_EQ(taken[0].payload, Known({7}));
  EXPECT_EQ(taken[1].payload, Unknown({1}));
  EXPECT_EQ(taken[2].payload, candidate);
}

TEST_F(FieldE2Worker, OneStrangerHasASmallAllowance) {
  for (size_t i = 0; i < kBurst; ++i) FromLan(FromPeer(kGroup, Unknown({1})));
  worker_.RunOnce();
  EXPECT_EQ(LanCount(Reason::cluster_stranger), static_cast<uint64_t>(ClusterAdmission::kStrangerBurst));
  EXPECT_EQ(LanCount(Reason::cluster_over_limit), kBurst - ClusterAdmission::kStrangerBurst);
  EXPECT_THAT(Take(), SizeIs(ClusterAdmission::kStrangerBurst));
}

TEST_F(WorkerClusterTest, AcknowledgesABeatInTheSameRoundAndBeforeTheRest) {
  gate_.Shut();
  Follow(HeartbeatRole::kFollow);
  FromHost(TcpSyn(kGatewayMac, kNodeMac, kNode4, kClient4));
  FromLan(PeersHeartbeat(HeartbeatKind::kRequest));
  EXPECT_EQ(worker_.RunOnce(), 1U) << "a heartbeat alone keeps no worker awake";
  const std::vector<Bytes> frames = world_.lan.Take();
  ASSERT_THAT(frames, SizeIs(2));
  EXPECT_EQ(Sent(frames[0]).kind, HeartbeatKind::kAck);
  EXPECT_EQ(Bytes(frames[0].begin(), frames[0].begin() + 6), Bytes(kPeerMac.bytes.begin(), kPeerMac.bytes.end()));
  EXPECT_EQ(Bytes(frames[0].begin() + 6, frames[0].begin() + 12), Bytes(kNodeMac.bytes.begin(), kNodeMac.bytes.end()));
  EXPECT_EQ(LanCount(Reason::cluster_heartbeat), 1U);
  EXPECT_EQ(LanCount(Reason::heartbeat_sent), 1U);
  EXPECT_EQ(HostCount(Reason::lan_host), 1U);
  EXPECT_THAT(Take(), IsEmpty());
}

TEST_F(WorkerClusterTest, HearsWhatOtherWorkersReceive) {
  gate_.Shut();
  Follow(HeartbeatRole::kFollow);
  WorkerOptions options = Options();
  options.id = 1;
  options.cluster.heartbeater = nullptr;
  Publisher publisher(2);
  publisher.Publish(std::shared_ptr<const Snapshot>(publisher_.current(), [](const Snapshot*) {}));
  publisher.Online(1);
  WorkerCounters counters;
  WorkerProgress progress;
  Worker other(options, &publisher, &gate_, &counters, &progress);
  FromLan(PeersHeartbeat(HeartbeatKind::kRequest));
  other.RunOnce();
  EXPECT_THAT(world_.lan.Take(), IsEmpty());
  EXPECT_EQ(counters.lan_reasons[static_cast<size_t>(Reason::cluster_heartbeat)].value(), 1U);
  worker_.RunOnce();
  ASSERT_THAT(world_.lan.Take(), SizeIs(1));
  publisher.Offline(1);
}

using FieldE16 = WorkerClusterTest;

// With several workers: forged heartbeats come in at one, the genuine one behind them.
TEST_F(FieldE16, ForgedHeartbeatsDoNotTakeTheRoomOfTheGenuine) {
  gate_.Shut();
  Follow(HeartbeatRole::kFollow);
  WorkerOptions options = Options();
  options.id = 1;
  options.cluster.heartbeater = nullptr;
  Publisher publisher(2);
  publisher.Publish(std::shared_ptr<const Snapshot>(publisher_.current(), [](const Snapshot*) {}));
  publisher.Online(1);
  WorkerCounters counters;
  WorkerProgress progress;
  Worker other(options, &publisher, &gate_, &counters, &progress);
  Bytes forged = PeersHeartbeat(HeartbeatKind::kRequest);
  forged[kUdpFrameHeaders + offsetof(EnvelopeHeader, sender)] ^= 1;
  size_t sent = 0;
  for (; sent < 2 * kPortRingCapacity; sent += kBurst) {
    for (size_t i = 0; i < kBurst; ++i) FromLan(forged);
    other.RunOnce();
  }
  FromLan(PeersHeartbeat(HeartbeatKind::kRequest));
  other.RunOnce();
  EXPECT_EQ(counters.lan_reasons[static_cast<size_t>(Reason::heartbeat_unexpected)].value(), sent);
  worker_.RunOnce();
  EXPECT_THAT(world_.lan.Take(), SizeIs(1)) << "the genuine one is acknowledged";
  publisher.Offline(1);
}

TEST_F(WorkerClusterTest, MasterSendsHeartbeatsAndKeepsItsLease) {
  Follow(HeartbeatRole::kLead, 7);
  worker_.RunOnce();
  EXPECT_EQ(gate_.mode(), GateMode::kLeased);
  std::vector<Bytes> frames = world_.lan.Take();
  ASSERT_THAT(frames, SizeIs(1));
  EXPECT_EQ(Bytes(frames[0].begin() + 12, frames[0].begin() + 16), (Bytes{0x81, 0, 0, 7}));
  frames[0].erase(frames[0].begin() + 12, frames[0].begin() + 16);
  const Heartbeat heartbeat = Sent(frames[0]);
  EXPECT_TRUE(heartbeat.binding);
  EXPECT_EQ(heartbeat.control_liveness, 1U);
  EXPECT_GE(worker_.next_deadline(), heartbeat.sent_at);
}

// A plan is judged by from the first frame of the round on: here the answer would otherwise go to the master of before.
TEST_F(WorkerClusterTest, ANewPlanIsTakenUpBeforeTheRoundReceives) {
  gate_.Shut();
  Follow(HeartbeatRole::kFollow);
  worker_.RunOnce();
  Follow(HeartbeatRole::kSilent);
  FromLan(PeersHeartbeat(HeartbeatKind::kRequest));
  worker_.RunOnce();
  EXPECT_THAT(world_.lan.Take(), IsEmpty());
}

TEST_F(WorkerClusterTest, TheDeputySaysWhenTheMasterFallsSilent) {
  gate_.Shut();
  Follow(HeartbeatRole::kFollow);
  FromLan(PeersHeartbeat(HeartbeatKind::kRequest));
  std::vector<EventKind> kinds;
  for (const MonoTime end = Now() + Seconds(10); Now() < end;) {
    worker_.RunOnce();
    for (EventKind kind : TakeEventKinds()) kinds.push_back(kind);
    if (!kinds.empty() && kinds.back() == EventKind::kMasterSilent) break;
  }
  EXPECT_THAT(kinds, ElementsAre(EventKind::kMasterSuspect, EventKind::kMasterSilent));
  EXPECT_TRUE(ControlWoken());
}

TEST_F(WorkerClusterTest, WhatTheHeartbeatTellsIsNotLostWhenTheRingIsFull) {
  gate_.Shut();
  Follow(HeartbeatRole::kFollow);
  WorkerOptions options = Options();
  options.events = world_.few_events;
  Worker worker(options, &publisher_, &gate_, &counters_, &progress_);
  Event filler;
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(rte_ring_enqueue_elem(world_.few_events, &filler, sizeof(filler)), 0);
  }
  FromLan(PeersHeartbeat(HeartbeatKind::kRequest));
  for (const MonoTime end = Now() + Seconds(10); Now() < end && worker.next_deadline() == kNever;) worker.RunOnce();
  for (const MonoTime end = Now() + Seconds(10); Now() < end && worker.next_deadline() != kNever;) worker.RunOnce();
  EXPECT_THAT(TakeEventKinds(), SizeIs(3));
  worker.RunOnce();
  std::vector<EventKind> kinds = TakeEventKinds();
  std::erase(kinds, EventKind::kStalled);  // this machine may be busy
  EXPECT_THAT(kinds, ElementsAre(EventKind::kMasterSuspect, EventKind::kMasterSilent));
  EXPECT_EQ(counters_.events_lost.value(), 0U);
}

TEST_F(WorkerClusterTest, ReportsWhatTheHeartbeatCounts) {
  gate_.Shut();
  Follow(HeartbeatRole::kFollow);
  Bytes forged = PeersHeartbeat(HeartbeatKind::kRequest);
  forged.back() ^= 1;
  FromLan(forged);
  FromLan(PeersHeartbeat(HeartbeatKind::kRequest));
  worker_.RunOnce();
  Follow(HeartbeatRole::kSilent);
  worker_.RunOnce();
  const HeartbeatCounters counters = heartbeater_.counters();
  EXPECT_EQ(counters.heartbeats_received, 1U);
  EXPECT_EQ(counters.acks_sent, 1U);
  EXPECT_EQ(counters.rejected[static_cast<size_t>(HeartbeatReject::kUnauthentic)], 1U);
}

TEST_F(WorkerClusterTest, KindsThatAnybodyRepeatsHaveTheirOwnBudget) {
  const Arp wanted = {1, kStrangerMac, kClient4, {}, kIdle4};
  const Arp conflict = {2, kStrangerMac, kService4, kGatewayMac, kGateway4};
  const MonoTime start = Now();
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 20; ++i) FromLan(Pad(Build(Ether{kBroadcastMac, kStrangerMac, 0x0806}, Build(wanted))));
    worker_.RunOnce();
  }
  const auto allowed = 10 + (Now() - start).ns / 10'000'000 + 1;
  size_t asked = 0;
  for (EventKind kind : TakeEventKinds()) asked += kind == EventKind::kAddressWanted ? 1 : 0;
  EXPECT_GE(asked, 10U);
  EXPECT_LE(asked, static_cast<size_t>(allowed));
  FromLan(Pad(Build(Ether{kBroadcastMac, kStrangerMac, 0x0806}, Build(conflict))));
  worker_.RunOnce();
  EXPECT_THAT(TakeEventKinds(), ElementsAre(EventKind::kAddressUsed));
}

}  // namespace
}  // namespace qure
