#include "dataplane/cluster_worker.h"

#include <rte_mbuf.h>
#include <rte_ring.h>
#include <sodium.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "dataplane/dataplane.h"
#include "dataplane/mbuf_frame.h"
#include "dataplane/pipeline/cluster_filter.h"
#include "proto/fresh.h"
#include "proto/net/udp_frame.h"

namespace qure {
namespace {

constexpr Duration kReportInterval = Milliseconds(10);
constexpr unsigned kStrangersAtOnce = 128;  // the control thread looks at known boots again after so many

// Where the headers of a frame in a ring are: the offsets travel in the mbuf.
void SetOffsets(const Parsed& parsed, rte_mbuf* mbuf) {
  mbuf->hash.usr = static_cast<uint32_t>(parsed.network) << 16 | parsed.transport;
}
uint16_t NetworkOf(const rte_mbuf* mbuf) {
  return static_cast<uint16_t>(mbuf->hash.usr >> 16);
}
uint16_t TransportOf(const rte_mbuf* mbuf) {
  return static_cast<uint16_t>(mbuf->hash.usr);
}

ConstBytes BytesOf(const rte_mbuf* mbuf) {
  return {rte_pktmbuf_mtod(mbuf, const uint8_t*), mbuf->data_len};
}

std::array<uint8_t, 16> RandomSalt() {
  std::array<uint64_t, 2> drawn;
  randombytes_buf(drawn.data(), sizeof(drawn));
  return std::bit_cast<std::array<uint8_t, 16>>(std::array{Fresh(drawn[0], Now()), drawn[1]});
}

}  // namespace

ClusterWorker::ClusterWorker(const ClusterOptions& options, LeaseGate* gate, Heartbeater::Emit emit, Counter* unsent)
    : options_(options), unsent_(unsent) {
  if (options.heartbeater == nullptr) return;
  heartbeater_.emplace(
      gate, [this](const HeartbeatPlan& plan, ConstBytes datagram) { Send(plan, datagram); }, RandomSalt,
      std::move(emit));
}

void ClusterWorker::Begin(MonoTime now, const Snapshot& snapshot) {
  snapshot_ = &snapshot;
  admission_.Begin(now);
  leased_ = snapshot.heartbeater != nullptr && snapshot.heartbeater->role != HeartbeatRole::kSilent;
  if (heartbeater_) heartbeater_->Use(now, snapshot.heartbeater);
}

bool ClusterWorker::Take(Reason reason, const Parsed& parsed, rte_mbuf* mbuf) {
  if (reason == Reason::cluster_heartbeat && heartbeater_) {
    Receive(mbuf, parsed.transport);
    return true;
  }
  rte_ring* const ring = RingFor(reason);
  SetOffsets(parsed, mbuf);
  return ring != nullptr && rte_ring_enqueue(ring, mbuf) == 0;
}

rte_ring* ClusterWorker::RingFor(Reason reason) const {
  if (reason == Reason::cluster_heartbeat) return options_.heartbeats;
  if (reason == Reason::cluster_adoption) return options_.control.adoptions;
  return reason == Reason::cluster_message ? options_.control.messages : options_.control.strangers;
}

// The time is read here, after the frame was received: the heartbeater's safety rests on it.
void ClusterWorker::Receive(rte_mbuf* mbuf, uint16_t transport) {
  heartbeater_->Receive(Now(), ClusterPayload(BytesOf(mbuf), transport));
  rte_pktmbuf_free(mbuf);
}

// All that was in the ring at first, at most what it holds: what comes meanwhile is left for the next round, so that a
// flood of forged heartbeats neither holds this worker nor keeps the deputy from acting. True if that was all.
bool ClusterWorker::ReceiveFromOthers() {
  if (options_.heartbeats == nullptr) return true;
  std::array<void*, kBurst> mbufs;
  unsigned left = rte_ring_count(options_.heartbeats);
  while (left > 0) {
    const unsigned count =
        rte_ring_dequeue_burst(options_.heartbeats, mbufs.data(), std::min<unsigned>(left, kBurst), nullptr);
    if (count == 0) return false;  // a worker is still about to put it there
    left -= count;
    for (unsigned i = 0; i < count; ++i) {
      auto* const mbuf = static_cast<rte_mbuf*>(mbufs[i]);
      Receive(mbuf, TransportOf(mbuf));
    }
  }
  return true;
}

void ClusterWorker::RunHeartbeater(Duration stall) {
  if (!heartbeater_) return;
  const MonoTime received_before = ReceivedBefore();  // before their ring is looked at
  const bool all = ReceiveFromOthers();
  if (!leased_) {
    if (!std::exchange(reported_, true)) options_.heartbeater->Set(heartbeater_->counters(), heartbeater_->status());
    return;
  }
  // All that arrived at any worker before the heartbeater's deadline has been received, and the heartbeats among it
  // have reached the heartbeater. Before the time is read: what comes in between is not overlooked.
  const bool emptied = all && received_before >= heartbeater_->NextDeadline();
  const MonoTime now = Now();
  heartbeater_->Round(now, snapshot_->heartbeater, stall, emptied);
  reported_ = false;
  if (now < next_report_) return;
  next_report_ = now + kReportInterval;
  options_.heartbeater->Set(heartbeater_->counters(), heartbeater_->status());
}

// Before when all that arrived at any worker has been received.
MonoTime ClusterWorker::ReceivedBefore() const {
  MonoTime before = kNever;
  for (const WorkerProgress& worker : options_.workers) {
    before = std::min(before, MonoTime{worker.received_before_ns.value()});
  }
  return before;
}

void ClusterWorker::Send(const HeartbeatPlan& plan, ConstBytes datagram) {
  rte_mbuf* const mbuf = sent_count_ < kMaxSent ? rte_pktmbuf_alloc(options_.pool) : nullptr;
  if (mbuf == nullptr) return unsent_->Add(1);
  const auto length = static_cast<uint16_t>(kUdpFrameHeaders + datagram.size());
  auto* const room = reinterpret_cast<uint8_t*>(rte_pktmbuf_append(mbuf, length));
  WriteUdpFrame({.ethernet_source = plan.mac,
                 .ethernet_destination = plan.peer.mac,
                 .source = plan.address,
                 .destination = plan.peer.address,
                 .source_port = plan.port,
                 .destination_port = plan.port},
                datagram, {room, length});
  Frame frame = FrameOf(mbuf);
  if (snapshot_->vlan != 0) frame.PushVlan(snapshot_->vlan);  // a fresh mbuf has the headroom
  WriteBack(frame, mbuf);
  sent_[sent_count_++] = mbuf;
}

std::span<rte_mbuf*> ClusterWorker::TakeSent() {
  return {sent_.data(), std::exchange(sent_count_, 0)};
}

MonoTime ClusterWorker::deadline() const {
  return heartbeater_ ? heartbeater_->NextDeadline() : kNever;
}

namespace {

void TakeSome(rte_ring* ring, unsigned left, std::vector<Datagram>* taken) {
  std::array<void*, kBurst> mbufs;
  while (left > 0) {
    const unsigned count = rte_ring_dequeue_burst(ring, mbufs.data(), std::min<unsigned>(left, kBurst), nullptr);
    if (count == 0) return;
    left -= count;
    for (unsigned i = 0; i < count; ++i) {
      auto* const mbuf = static_cast<rte_mbuf*>(mbufs[i]);
      taken->push_back(ClusterDatagram(BytesOf(mbuf), NetworkOf(mbuf), TransportOf(mbuf)));
      rte_pktmbuf_free(mbuf);
    }
  }
}

}  // namespace

// What comes while we take is left for the next time: a flood does not hold the control thread.
std::vector<Datagram> TakeMessages(const ControlRings& rings) {
  std::vector<Datagram> taken;
  TakeSome(rings.messages, rte_ring_count(rings.messages), &taken);
  for (rte_ring* const ring : {rings.strangers, rings.adoptions}) {
    TakeSome(ring, std::min(rte_ring_count(ring), kStrangersAtOnce), &taken);
  }
  return taken;
}

}  // namespace qure
