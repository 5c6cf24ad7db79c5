#include "dataplane/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include <functional>
#include <thread>

#include "proto/net/tcp.h"
#include "proto/net/udp.h"
#include "proto/net/way_in.h"
#include "tests/unit/dataplane/worker_fixture.h"

namespace qure {
namespace {

using namespace qure::testing;  // NOLINT: frames, addresses and the site
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::Gt;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Bytes ArpRequest(int vlan = -1) {
  const Arp arp = {
      .operation = 1, .sender_mac = kGatewayMac, .sender_ip = kGateway4, .target_mac = {}, .target_ip = kService4};
  return Pad(Build(Ether{kBroadcastMac, kGatewayMac, 0x0806, vlan}, Build(arp)));
}

Bytes ArpReply(int vlan = -1) {
  const Arp arp = {2, kServiceMac4, kService4, kGatewayMac, kGateway4};
  return Pad(Build(Ether{kGatewayMac, kServiceMac4, 0x0806, vlan}, Build(arp)));
}

// Another host claims the service address.
Bytes ArpConflict(const Ipv4Address& address = kService4) {
  const Arp arp = {2, kStrangerMac, address, kGatewayMac, kGateway4};
  return Pad(Build(Ether{kBroadcastMac, kStrangerMac, 0x0806}, Build(arp)));
}

Bytes ArpProbe(const Ipv4Address& address) {
  return Pad(Build(Ether{kBroadcastMac, kStrangerMac, 0x0806}, Build(Arp{1, kStrangerMac, {}, {}, address})));
}

Bytes TcpSyn(const MacAddress& to, const MacAddress& from, const Ipv4Address& source, const Ipv4Address& destination) {
  constexpr uint8_t kSyn = 2;
  return Pad(Build(Ether{to, from, 0x0800},
                   Build(Ip4Header{source, destination, 6}, Tcp(source, destination, 40000, 80, kSyn, {}))));
}
Bytes ToService() {
  return TcpSyn(kServiceMac4, kGatewayMac, kClient4, kService4);
}
Bytes FromKernel() {
  return TcpSyn(kGatewayMac, kNodeMac, kNode4, kClient4);
}

TEST_F(WorkerTest, AnswersArpFromTheServiceMac) {
  FromLan(ArpRequest());
  EXPECT_EQ(worker_.RunOnce(), 1U);
  EXPECT_THAT(world_.lan.Take(), ElementsAre(ArpReply()));
  EXPECT_EQ(LanCount(Reason::arp_reply), 1U);
  EXPECT_EQ(AllCounts(), 1U);
  EXPECT_EQ(counters_.lan.rx_frames.value(), 1U);
  EXPECT_EQ(counters_.lan.rx_bytes.value(), 60U);
  EXPECT_EQ(counters_.lan.tx_frames.value(), 1U);
  EXPECT_EQ(counters_.lan.tx_bytes.value(), 60U);
}

class FieldA12 : public WorkerTest {
 protected:
  // Its checksum field holds nothing that could be taken for a checksum.
  static Bytes Damaged() {
    Bytes frame = ToService();
    frame[14 + 20 + 16] ^= 0xff;
    return frame;
  }
};

// A port that says that the checksum is missing, as DPDK's virtio driver does.
TEST_F(FieldA12, CompletesWhatThePortMarks) {
  rte_mbuf* const mbuf = world_.Mbuf(Damaged());
  mbuf->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_NONE;
  world_.lan.Send(mbuf);
  FromLan(Damaged());
  worker_.RunOnce();
  EXPECT_THAT(world_.host.Take(), ElementsAre(ToKernel(ToService()), ToKernel(Damaged())));
}

// A port that cannot tell, as DPDK's driver of packet sockets.
TEST_F(FieldA12, CompletesWhatThePortCannotTell) {
  WorkerOptions options = Options();
  options.checksum = SegmentChecksum::kMaybePartial;
  Worker worker(options, &publisher_, &gate_, &counters_, &progress_);
  Bytes partial = ToService();
  PutBe16(&partial, 14 + 20 + 16, PseudoSum(kClient4, kService4, 6, 20));
  FromLan(partial);
  worker.RunOnce();
  EXPECT_THAT(world_.host.Take(), ElementsAre(ToKernel(ToService())));
}

TEST_F(WorkerTest, AnEmptyRoundIsCountedAsSuch) {
  EXPECT_EQ(worker_.RunOnce(), 0U);
  FromLan(ArpRequest());
  worker_.RunOnce();
  EXPECT_EQ(counters_.rounds.value(), 2U);
  EXPECT_EQ(counters_.busy_rounds.value(), 1U);
}

TEST_F(WorkerTest, ShutGateWithholdsAnswersAndNothingElse) {
  gate_.Shut();
  FromLan(ArpRequest());
  FromHost(FromKernel());
  FromLan(ArpRequest());
  worker_.RunOnce();
  EXPECT_THAT(world_.lan.Take(), ElementsAre(FromKernel()));
  EXPECT_EQ(LanCount(Reason::gate_shut), 2U);
  EXPECT_EQ(LanCount(Reason::arp_reply), 0U);
  EXPECT_EQ(HostCount(Reason::lan_host), 1U);
  EXPECT_EQ(AllCounts(), 3U);
}

class WorkerLeaseTest : public WorkerTest {
 protected:
  // Under a lease that has ended: the next acknowledgement may renew it.
  void SetUp() override {
    WorkerTest::SetUp();
    ASSERT_TRUE(gate_.Bind(1, Now() - Milliseconds(1), Seconds(3600)));
  }
};

TEST_F(WorkerLeaseTest, AnswersWaitForTheLeaseAndLeaveFirst) {
  FromLan(ArpRequest());
  FromHost(FromKernel());
  worker_.RunOnce();
  EXPECT_THAT(world_.lan.Take(), ElementsAre(FromKernel())) << "which needs no lease";
  EXPECT_EQ(LanCount(Reason::gate_shut), 0U);
  gate_.Extend(Now() + Seconds(3600), Seconds(3600), {});
  FromHost(FromKernel());
  worker_.RunOnce();
  EXPECT_THAT(world_.lan.Take(), ElementsAre(ArpReply(), FromKernel()));
  EXPECT_EQ(LanCount(Reason::arp_reply), 1U);
}

TEST_F(WorkerLeaseTest, AnswersDoNotWaitForLong) {
  FromLan(ArpRequest());
  const MonoTime end = Now() + Seconds(10);
  while (LanCount(Reason::gate_shut) == 0 && Now() < end) worker_.RunOnce();
  EXPECT_EQ(LanCount(Reason::gate_shut), 1U);
  gate_.Extend(Now() + Seconds(3600), Seconds(3600), {});
  worker_.RunOnce();
  EXPECT_THAT(world_.lan.Take(), IsEmpty());
}

TEST_F(WorkerLeaseTest, WhenTheMastershipIsLostTheWaitingAnswersAre) {
  FromLan(ArpRequest());
  worker_.RunOnce();
  gate_.Shut();
  worker_.RunOnce();
  EXPECT_EQ(LanCount(Reason::gate_shut), 1U);
  EXPECT_THAT(world_.lan.Take(), IsEmpty());
}

TEST_F(WorkerLeaseTest, AFloodOfAnswersWaitsInBoundedRoom) {
  constexpr uint64_t kFlood = 900;
  for (uint64_t i = 0; i < kFlood; ++i) {
    FromLan(ArpRequest());
    worker_.RunOnce();
  }
  EXPECT_GT(LanCount(Reason::gate_shut), 0U);
  gate_.Extend(Now() + Seconds(3600), Seconds(3600), {});
  worker_.RunOnce();
  EXPECT_EQ(world_.lan.Take().size() + LanCount(Reason::gate_shut) + LanCount(Reason::lan_full), kFlood);
}

TEST_F(WorkerTest, DeliversServiceTrafficToTheKernel) {
  FromLan(ToService());
  worker_.RunOnce();
  EXPECT_THAT(world_.host.Take(), ElementsAre(ToKernel(ToService())));
  EXPECT_THAT(world_.lan.Take(), IsEmpty());
  EXPECT_EQ(LanCount(Reason::host_service), 1U);
  EXPECT_EQ(counters_.host.tx_frames.value(), 1U);
}

TEST_F(WorkerTest, PassesTheKernelsFramesToTheLan) {
  FromHost(FromKernel());
  worker_.RunOnce();
  EXPECT_THAT(world_.lan.Take(), ElementsAre(FromKernel()));
  EXPECT_EQ(HostCount(Reason::lan_host), 1U);
  EXPECT_EQ(counters_.host.rx_frames.value(), 1U);
  EXPECT_EQ(counters_.lan.tx_frames.value(), 1U);
}

TEST_F(WorkerTest, DropsWithTheReasonOfThePipeline) {
  FromLan(Bytes(9));
  worker_.RunOnce();
  EXPECT_EQ(LanCount(Reason::ethernet_truncated), 1U);
  EXPECT_THAT(world_.lan.Take(), IsEmpty());
  EXPECT_THAT(world_.host.Take(), IsEmpty());
}

TEST_F(WorkerTest, SendsControlFrames) {
  FromControl(ArpReply(), Reason::control_announce);
  FromControl(FromKernel(), Reason::control_frame);
  EXPECT_EQ(worker_.RunOnce(), 2U);
  EXPECT_THAT(world_.lan.Take(), ElementsAre(ArpReply(), FromKernel()));
  EXPECT_EQ(LanCount(Reason::control_announce), 1U);
  EXPECT_EQ(LanCount(Reason::control_frame), 1U);
  EXPECT_EQ(counters_.lan.rx_frames.value(), 0U) << "they came from no port";
}

// A health check asks the kernel as clients do, and takes its answer: neither is seen on the LAN.
TEST_F(WorkerTest, FieldD13QuestionAndAnswerStayOnTheMachine) {
  const WayInQuestion question{.host = kNodeMac, .service = kService4, .port = 80, .number = 1999};
  FromControl(WayInSyn(question), Reason::way_in_question);
  worker_.RunOnce();
  EXPECT_THAT(world_.host.Take(), ElementsAre(WayInSyn(question)));
  EXPECT_EQ(LanCount(Reason::way_in_question), 1U);

  const uint16_t port = HeaderAt<UdpHeader>(ConstBytes(WayInSyn(question)), 34)->source_port.value();
  FromHost(Build(Ether{kGatewayMac, kNodeMac, 0x0800},
                 Build(Ip4Header{.source = kService4, .destination = kWayInSource4, .protocol = 6},
                       Tcp(kService4, kWayInSource4, 80, port, kTcpSyn | kTcpAck, {}))));  // acknowledges 1999
  worker_.RunOnce();
  EXPECT_THAT(world_.lan.Take(), IsEmpty());
  EXPECT_EQ(HostCount(Reason::way_in_answer), 1U);
  const std::vector<Event> events = world_.TakeEvents();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].kind, EventKind::kWayInAnswer);
  EXPECT_EQ(events[0].number, 1999U);
  EXPECT_TRUE(events[0].open);
}

TEST_F(WorkerTest, ControlFramesFromAServiceMacNeedTheGate) {
  gate_.Shut();
  FromControl(ArpReply(), Reason::control_announce);
  FromControl(FromKernel(), Reason::control_frame);
  worker_.RunOnce();
  EXPECT_THAT(world_.lan.Take(), ElementsAre(FromKernel()));
  EXPECT_EQ(LanCount(Reason::gate_shut), 1U);
}

TEST_F(WorkerTest, TagsControlFramesOnAVlan) {
  Snapshot snapshot = SiteSnapshot();
  snapshot.vlan = 7;
  Publish(std::move(snapshot));
  Bytes untagged = Build(Ether{kGatewayMac, kNodeMac, 0x0800}, Bytes(46, 1));
  FromControl(untagged, Reason::control_frame);
  worker_.RunOnce();
  EXPECT_THAT(world_.lan.Take(), ElementsAre(Build(Ether{kGatewayMac, kNodeMac, 0x0800, 7}, Bytes(46, 1))));
}

TEST_F(WorkerTest, RestoresATagThatThePortHasStripped) {
  Snapshot snapshot = SiteSnapshot();
  snapshot.vlan = 7;
  Publish(std::move(snapshot));
  rte_mbuf* const mbuf = world_.Mbuf(ArpRequest());
  mbuf->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
  mbuf->vlan_tci = 7;
  world_.lan.Send(mbuf);
  worker_.RunOnce();
  const std::vector<Bytes> frames = world_.lan.Take();
  ASSERT_THAT(frames, SizeIs(1));
  const Bytes expected = ArpReply(7);
  EXPECT_EQ(Bytes(frames[0].begin(), frames[0].begin() + 46), Bytes(expected.begin(), expected.begin() + 46));
}

TEST_F(WorkerTest, BelievesTheChecksumsThatThePortHasVerified) {
  Dns query;
  query.name = "www.home.example";
  Bytes frame = Build(Ether{kServiceMac4, kGatewayMac, 0x0800},
                      Build(Ip4Header{kClient4, kService4, 17}, Udp(kClient4, kService4, 5353, 53, Build(query))));
  frame[14 + 20 + 6] ^= 0xff;  // the UDP checksum
  FromLan(frame);
  worker_.RunOnce();
  EXPECT_EQ(LanCount(Reason::udp_checksum), 1U);

  rte_mbuf* const mbuf = world_.Mbuf(frame);
  mbuf->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
  world_.lan.Send(mbuf);
  worker_.RunOnce();
  EXPECT_EQ(LanCount(Reason::dns_answer), 1U);
}

TEST_F(WorkerTest, HasNoRoomForScatteredOrOversizedFrames) {
  rte_mbuf* const scattered = world_.Mbuf(ArpRequest());
  ASSERT_EQ(rte_pktmbuf_chain(scattered, world_.Mbuf(Bytes(100))), 0);
  world_.lan.Send(scattered);
  FromLan(ArpRequest());
  FromLan(Bytes(1519));
  EXPECT_EQ(worker_.RunOnce(), 3U);
  EXPECT_THAT(world_.lan.Take(), ElementsAre(ArpReply())) << "the frame between them is served";
  EXPECT_EQ(LanCount(Reason::no_room), 2U);
  EXPECT_EQ(LanCount(Reason::arp_reply), 1U);
  EXPECT_EQ(AllCounts(), 3U);
}

TEST_F(WorkerTest, CountsEachFrameOfAMixedBurstOnce) {
  for (int i = 0; i < 8; ++i) {
    FromLan(ArpRequest());
    FromLan(ToService());
    FromLan(Bytes(9));
    FromLan(ArpConflict());
    FromHost(FromKernel());
    FromControl(FromKernel(), Reason::control_frame);
  }
  EXPECT_EQ(worker_.RunOnce(), 48U);
  EXPECT_THAT(world_.lan.Take(), SizeIs(24));
  EXPECT_THAT(world_.host.Take(), SizeIs(8));
  EXPECT_EQ(AllCounts(), 48U);
  EXPECT_EQ(counters_.lan.tx_frames.value(), 24U);
}

TEST_F(WorkerTest, CountsAndFreesWhatTheLanPortDoesNotTake) {
  constexpr unsigned kFrames = 3 * kBurst;
  for (unsigned round = 0; round < 3; ++round) {
    for (size_t i = 0; i < kBurst; ++i) FromLan(ArpRequest());
    worker_.RunOnce();
  }
  EXPECT_THAT(world_.lan.Take(), SizeIs(kPortRingCapacity));
  EXPECT_EQ(LanCount(Reason::arp_reply), kPortRingCapacity);
  EXPECT_EQ(LanCount(Reason::lan_full), kFrames - kPortRingCapacity);
  EXPECT_EQ(counters_.lan.tx_frames.value(), kPortRingCapacity);
  EXPECT_EQ(counters_.lan.tx_bytes.value(), kPortRingCapacity * 60U);
}

TEST_F(WorkerTest, CountsAndFreesWhatTheHostPortDoesNotTake) {
  constexpr unsigned kFrames = 3 * kBurst;
  for (unsigned round = 0; round < 3; ++round) {
    for (size_t i = 0; i < kBurst; ++i) FromLan(ToService());
    worker_.RunOnce();
  }
  EXPECT_THAT(world_.host.Take(), SizeIs(kPortRingCapacity));
  EXPECT_EQ(LanCount(Reason::host_service), kPortRingCapacity);
  EXPECT_EQ(LanCount(Reason::host_full), kFrames - kPortRingCapacity);
}

TEST_F(WorkerTest, WakesTheControlThreadWithEvents) {
  worker_.RunOnce();
  EXPECT_FALSE(ControlWoken());
  FromLan(ArpConflict());
  worker_.RunOnce();
  EXPECT_TRUE(ControlWoken());
  const std::vector<Event> events = world_.TakeEvents();
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].kind, EventKind::kAddressUsed);
  EXPECT_EQ(events[0].mac, kStrangerMac);
  EXPECT_EQ(events[0].ip, IpAddress(kService4));
}

TEST_F(WorkerTest, CountsEventsThatDoNotFitInTheRing) {
  WorkerOptions options = Options();
  options.events = world_.few_events;
  Worker worker(options, &publisher_, &gate_, &counters_, &progress_);
  for (const Ipv4Address& address : {kService4, kIdle4}) {
    FromLan(ArpConflict(address));
    FromLan(ArpProbe(address));
  }
  FromLan(ArpConflict(kIdle4));  // once a burst
  worker.RunOnce();
  EXPECT_THAT(world_.TakeEvents(), SizeIs(3));
  EXPECT_EQ(counters_.events_lost.value(), 1U);
}

TEST_F(WorkerTest, LimitsTheRateOfEvents) {
  constexpr size_t kRounds = 100;
  const MonoTime start = Now();
  for (size_t round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < Batch::kMaxEvents; ++i) FromLan(ArpConflict());
    worker_.RunOnce();
  }
  // A burst of ten, and one for each ten milliseconds.
  const auto allowed = static_cast<size_t>(10 + (Now() - start).ns / 10'000'000 + 1);
  const size_t taken = world_.TakeEvents().size();
  EXPECT_GE(taken, 10U);
  EXPECT_LE(taken, allowed);
  EXPECT_EQ(counters_.events_lost.value(), kRounds - taken);
}

class WorkerStallTest : public WorkerTest {
 protected:
  static constexpr GateLimits kQuick = {.max_gap = Milliseconds(20), .max_control_silence = Seconds(3600)};
  WorkerStallTest() : WorkerTest(kQuick) {}
};

TEST_F(WorkerStallTest, AStalledLoopTellsAndStaysSilent) {
  FromLan(ArpRequest());
  const MonoTime before = Now();
  worker_.RunOnce();
  while (Now() - before <= kQuick.max_gap * 2) {
  }
  FromLan(ArpRequest());
  worker_.RunOnce();
  EXPECT_GE(counters_.stalls.value(), 1U);
  EXPECT_EQ(LanCount(Reason::gate_shut), 1U);
  EXPECT_TRUE(ControlWoken());
  EXPECT_THAT(world_.TakeEvents(),
              Contains(AllOf(Field(&Event::kind, EventKind::kStalled), Field(&Event::span, Gt(kQuick.max_gap)),
                             Field(&Event::stalls, gate_.stalls()))));

  FromLan(ArpRequest());
  worker_.RunOnce();
  EXPECT_EQ(LanCount(Reason::gate_shut), 2U) << "until the control thread has listened and opens it again";
}

// The loop in its own thread.
class WorkerLoopTest : public WorkerTest {
 protected:
  void SetUp() override {
    WorkerTest::SetUp();
    publisher_.Offline(0);
    thread_ = std::thread([this] { worker_.Run(stop_); });
  }
  void TearDown() override {
    stop_.store(true);
    thread_.join();
    WorkerTest::TearDown();
  }

  static ::testing::AssertionResult Eventually(const std::function<bool()>& condition) {
    const MonoTime deadline = Now() + Seconds(10);
    while (!condition()) {
      if (Now() > deadline) return ::testing::AssertionFailure() << "not within 10 s";
      std::this_thread::yield();
    }
    return ::testing::AssertionSuccess();
  }

  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

TEST_F(WorkerLoopTest, SleepsWhenIdleAndServesWhenWoken) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer does not see how DPDK's ring driver hands an mbuf from one thread to another";
#endif
  ASSERT_TRUE(Eventually([this] { return counters_.sleeps.value() > 10; }));
  EXPECT_GT(counters_.sleep_ns.value(), 0U);
  FromLan(ArpRequest());
  std::vector<Bytes> frames;
  ASSERT_TRUE(Eventually([&] { return !(frames = world_.lan.Take()).empty(); }));
  EXPECT_THAT(frames, ElementsAre(ArpReply()));
}

TEST_F(WorkerLoopTest, ASleeperHoldsNoSnapshot) {
  ASSERT_TRUE(Eventually([this] { return counters_.sleeps.value() > 10; }));
  for (int i = 0; i < 100; ++i) Publish(SiteSnapshot());
  EXPECT_TRUE(Eventually([this] {
    publisher_.Reclaim();
    return publisher_.retired() == 0;
  }));
}

}  // namespace
}  // namespace qure
