#include "dataplane/worker.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <span>

#include "dataplane/clocks.h"
#include "dataplane/mbuf_frame.h"
#include "dataplane/pipeline/pipeline.h"
#include "dataplane/port.h"
#include "proto/check.h"
#include "proto/net/way_in.h"

namespace qure {
namespace {

constexpr size_t kQuietHeartbeats = 4;  // so many in a round are no load
constexpr unsigned kLessonsPerRound = 64;

// More frames than a receive queue and what feeds it can hold.
constexpr uint32_t kQueueFrames = kMbufsPerQueue;

// The tag that a port has moved into the mbuf goes back to where the pipeline looks for it.
bool RestoreVlan(rte_mbuf* mbuf) {
  return (mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) == 0 || rte_vlan_insert(&mbuf) == 0;
}

TransmitOptions ToLan(const WorkerOptions& options) {
  return {.port = options.lan_port, .queue = options.queue, .full = Reason::lan_full};
}

FlowOptions WithReports(const WorkerOptions& options) {
  static_assert(sizeof(PinnedFlow) % 4 == 0, "elements of an rte_ring");
  FlowOptions flows = options.flows;
  flows.report = [ring = options.flow_reports](const PinnedFlow& flow) {
    PinnedFlow element = flow;
    return rte_ring_enqueue_elem(ring, &element, sizeof(element)) == 0;
  };
  return flows;
}

}  // namespace

void MarkControlFrame(rte_mbuf* mbuf, Reason reason) {
  mbuf->hash.usr = static_cast<uint32_t>(reason);
}

Worker::Worker(const WorkerOptions& options, Publisher* publisher, LeaseGate* gate, WorkerCounters* counters,
               WorkerProgress* progress)
    : options_(options),
      publisher_(publisher),
      gate_(gate),
      counters_(counters),
      progress_(progress),
      stall_guard_(gate),
      events_(options.events, options.event_fd, &counters->events_lost),
      cluster_(
          options.cluster, gate, [this](const Event& event) { events_.SendSurely(event); },
          &counters->lan_reasons[static_cast<size_t>(Reason::no_room)]),
      flows_(WithReports(options), counters, progress),
      dns_(options.flows.seed, counters),
      heartbeats_(ToLan(options), counters, &counters->lan),
      held_(ToLan(options), gate, &stall_guard_, counters),
      to_lan_(ToLan(options), counters, &counters->lan),
      to_host_({.port = options.host_port, .queue = options.queue, .full = Reason::host_full}, counters,
               &counters->host),
      sleep_({.reader = options.id,
              .lan_port = options.lan_port,
              .host_port = options.host_port,
              .queue = options.queue,
              .interrupts = options.interrupts},
             publisher, counters) {}

void Worker::Run(const std::atomic<bool>& stop) {
  prctl(PR_SET_TIMERSLACK, 1'000);  // ns; the default of 50 µs would double the shortest nap
  // Several nodes may share a core, and a heartbeat that comes late may lose a lease. Where the priority is not
  // allowed, the worker runs without it, only less evenly.
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), -20);
  sleep_.WatchInterrupts();
  publisher_->Online(options_.id);
  while (!stop.load(std::memory_order_relaxed)) {
    if (RunOnce() > 0) {
      sleep_.Busy();
    } else {
      sleep_.Idle(cluster_.deadline(), cluster_.leased());
    }
  }
  publisher_->Offline(options_.id);
}

size_t Worker::RunOnce() {
  const Duration stall = CheckStall();
  const Snapshot* const current = publisher_->current();
  QURE_CHECK(current != nullptr, options_.id);
  const Snapshot& snapshot = *current;
  cluster_.Begin(round_start_, snapshot);
  heartbeats_seen_ = 0;
  size_t frames = ReceiveControl(snapshot);
  frames += ReceiveLan(snapshot);
  RunHeartbeater(stall);
  frames += ReceiveHost(snapshot);
  FlushLan();
  to_host_.Send();
  TendFlows(snapshot);
  publisher_->Quiescent(options_.id);
  frames -= std::min(heartbeats_seen_, kQuietHeartbeats);
  events_.EndRound();
  counters_->rounds.Add(1);
  if (frames > 0) counters_->busy_rounds.Add(1);
  return frames;
}

Duration Worker::CheckStall() {
  const Clocks now = ReadClocks();
  round_start_ = now.clock;
  const Duration stall = stall_guard_.Round(now.clock, now.tsc);
  if (stall == Duration{}) return {};
  counters_->stalls.Add(1);
  events_.SendSurely({.kind = EventKind::kStalled, .span = stall, .stalls = gate_->stalls()});
  return stall;
}

// What the heartbeater sends leaves before everything else: answers wait for a lease, not the other way round.
void Worker::RunHeartbeater(Duration stall) {
  cluster_.RunHeartbeater(stall);
  for (rte_mbuf* mbuf : cluster_.TakeSent()) heartbeats_.Add({mbuf, Reason::heartbeat_sent, Side::kLan});
  heartbeats_.Send();
}

// A burst that is not full has emptied the queue of all that had arrived when the round began. A queue that never
// empties has been gone through once as many frames were received as it can hold.
void Worker::NoteReceived(uint16_t count) {
  if (count == kBurst) {
    full_frames_ += count;
    if (full_frames_ < kQueueFrames) return;
    progress_->received_before_ns.Set(full_since_.ns);
  } else {
    progress_->received_before_ns.Set(round_start_.ns);
  }
  full_since_ = round_start_;
  full_frames_ = 0;
}

size_t Worker::ReceiveLan(const Snapshot& snapshot) {
  Mbufs mbufs;
  const uint16_t count = rte_eth_rx_burst(options_.lan_port, options_.queue, mbufs.data(), kBurst);
  if (count > 0) {
    Load(Side::kLan, count, &mbufs, &counters_->lan);
    ProcessLan(snapshot, memory(), &batch_);
    Dispatch(Side::kLan, mbufs);
    ReportEvents();
  }
  NoteReceived(count);
  LookForBacklog(snapshot, count);
  return count;
}

// After the messages among it have gone to the control thread, which looks at them before a backlog is answered.
void Worker::LookForBacklog(const Snapshot& snapshot, uint16_t count) {
  const auto events = std::span(batch_.events).first(count > 0 ? batch_.event_count : 0);
  const bool rival = std::ranges::find(events, EventKind::kServiceMacSeen, &Event::kind) != events.end();
  const RoundReceipt receipt{
      .frames = count, .more = count == kBurst, .rival = rival, .clustered = snapshot.cluster_port != 0};
  if (stall_guard_.Received(round_start_, receipt)) events_.Wake();
}

size_t Worker::ReceiveHost(const Snapshot& snapshot) {
  Mbufs mbufs;
  const uint16_t count = rte_eth_rx_burst(options_.host_port, options_.queue, mbufs.data(), kBurst);
  if (count == 0) return 0;
  Load(Side::kHost, count, &mbufs, &counters_->host);
  ProcessHost(snapshot, memory(), &batch_);
  Dispatch(Side::kHost, mbufs);
  ReportEvents();
  return count;
}

void Worker::TendFlows(const Snapshot& snapshot) {
  if (snapshot.balance != nullptr && rte_ring_empty(options_.flow_lessons) == 0) {
    PinnedFlow lessons[kLessonsPerRound];
    const unsigned count =
        rte_ring_dequeue_burst_elem(options_.flow_lessons, lessons, sizeof(PinnedFlow), kLessonsPerRound, nullptr);
    for (unsigned i = 0; i < count; ++i) flows_.Learn(round_start_, lessons[i]);
  }
  if (flows_.Round(round_start_, snapshot)) events_.Wake();
  for (const HeavyHitterSighting& sighting : flows_.TakeSightings()) {
    events_.Send({.kind = EventKind::kHeavyHitter, .many = sighting.many, .ip = AddressOf(sighting.remote)});
  }
}

size_t Worker::ReceiveControl(const Snapshot& snapshot) {
  if (options_.control == nullptr) return 0;
  Mbufs mbufs;
  void** const slots = reinterpret_cast<void**>(mbufs.data());
  const auto count = static_cast<uint16_t>(rte_ring_dequeue_burst(options_.control, slots, kBurst, nullptr));
  if (count == 0) return 0;
  Load(Side::kLan, count, &mbufs, nullptr);
  for (size_t i = 0; i < batch_.count; ++i) {
    batch_.reasons[i] = ProcessControl(snapshot, static_cast<Reason>(mbufs[i]->hash.usr), &batch_.frames[i]);
  }
  Dispatch(Side::kLan, mbufs);
  return count;
}

// Makes the batch from mbufs. Those that the pipeline cannot work on are freed and the others moved up.
void Worker::Load(Side from, uint16_t count, Mbufs* mbufs, PortCounters* port) {
  uint64_t bytes = 0;
  batch_.count = 0;
  batch_.event_count = 0;
  for (uint16_t i = 0; i < count; ++i) {
    rte_mbuf* const mbuf = (*mbufs)[i];
    // The first 64 bytes: Ethernet 14 + IPv4 20 + UDP 8 or + IPv6 40, or a whole ARP packet. By the time that the
    // classifier reads the first frame, the lines of all are on their way.
    rte_prefetch0(rte_pktmbuf_mtod(mbuf, void*));
    bytes += mbuf->pkt_len;
    if (mbuf->nb_segs != 1 || mbuf->data_len > options_.max_frame || !RestoreVlan(mbuf)) {
      counters_->Count(from, Reason::no_room);
      rte_pktmbuf_free(mbuf);
      continue;
    }
    batch_.frames[batch_.count] = FrameOf(mbuf, from == Side::kLan ? options_.checksum : SegmentChecksum::kUnknown);
    (*mbufs)[batch_.count++] = mbuf;
  }
  if (port == nullptr) return;
  port->rx_frames.Add(count);
  port->rx_bytes.Add(bytes);
}

void Worker::Dispatch(Side from, const Mbufs& mbufs) {
  QURE_CHECK(to_lan_.count() + batch_.count <= TransmitQueue::kCapacity, to_lan_.count(), batch_.count);
  QURE_CHECK(to_host_.count() + batch_.count <= TransmitQueue::kCapacity, to_host_.count(), batch_.count);
  for (size_t i = 0; i < batch_.count; ++i) {
    const Reason reason = batch_.reasons[i];
    const Verdict verdict = VerdictOf(reason);
    if (verdict == Verdict::kDrop) {
      if (reason == Reason::way_in_answer) ReportWayIn(batch_.frames[i]);
      counters_->Count(from, reason);
      rte_pktmbuf_free(mbufs[i]);
      continue;
    }
    WriteBack(batch_.frames[i], mbufs[i]);
    if (verdict == Verdict::kControl) {
      ToCluster(reason, i, mbufs[i]);
      continue;
    }
    (verdict == Verdict::kHost ? to_host_ : to_lan_).Add({mbufs[i], reason, from});
  }
}

void Worker::ToCluster(Reason reason, size_t index, rte_mbuf* mbuf) {
  if (!cluster_.Take(reason, batch_.parsed[index], mbuf)) {
    counters_->Count(Side::kLan, Reason::cluster_full);
    rte_pktmbuf_free(mbuf);
    return;
  }
  counters_->Count(Side::kLan, reason);
  if (reason == Reason::cluster_heartbeat) {
    ++heartbeats_seen_;
  } else {
    events_.Wake();
  }
}

// Nobody but this machine can cause it, and as many come at once as there are services: it needs no budget.
void Worker::ReportWayIn(const Frame& frame) {
  const std::optional<WayInAnswer> answer = ReadWayInAnswer(frame.bytes());
  if (!answer) return;
  events_.SendSurely({.kind = EventKind::kWayInAnswer, .open = answer->open, .number = answer->number});
}

void Worker::FlushLan() {
  if (!held_.empty()) held_.Release(round_start_);
  if (to_lan_.empty()) return;
  if (!MayTransmitNow(stall_guard_)) {
    to_lan_.TakeAnswers([this](const OutgoingFrame& answer) { held_.HoldOrDrop(round_start_, answer); });
  }
  to_lan_.Send();
}

void Worker::ReportEvents() {
  events_.Send(round_start_, std::span(batch_.events).first(batch_.event_count));
}

}  // namespace qure
