#include "dataplane/worker.h"

#include <rte_cycles.h>
#include <rte_epoll.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "dataplane/dataplane.h"
#include "dataplane/mbuf_frame.h"
#include "dataplane/pipeline/pipeline.h"
#include "dataplane/port.h"

namespace qure {
namespace {

// Idle: after so many rounds without a frame the worker sleeps after each round. All sleeps are far below a stall: half
// of the shortest lease is 5 ms.
constexpr uint32_t kBusyRounds = 256;
constexpr int64_t kShortestNapNs = 50'000;
constexpr int64_t kLongestNapNs = 1'000'000;
constexpr int kInterruptWaitMs = 2;     // the control ring raises no interrupt
constexpr size_t kQuietHeartbeats = 4;  // so many in a round are no load
constexpr int kLeaseWaitMs = 1;         // with a part in a lease

// Events of one worker: a thousand a second, with a burst of a tenth of that.
constexpr Duration kEventCost = Milliseconds(1);
constexpr Duration kEventBurst = Milliseconds(100);
constexpr Duration kRepeatedCost = Milliseconds(10);  // a hundred a second of each kind that anybody may repeat at will

// Events of the heartbeater and of stalls that wait for room in the ring: more than the control thread ever needs.
constexpr size_t kMaxWaiting = 256;

// An answer waits so long for a lease in doubt: some round trips of a heartbeat. No more of them wait than come in at
// 25,000 a second.
constexpr Duration kHoldAnswers = Milliseconds(10);
constexpr size_t kMaxHeld = 256;

constexpr unsigned kLessonsPerRound = 64;

// More frames than a receive queue and what feeds it can hold.
constexpr uint32_t kQueueFrames = kMbufsPerQueue;

// The time stamp counter as a clock: it goes on while a hypervisor holds CLOCK_MONOTONIC still.
MonoTime TscNow() {
  const uint64_t hz = rte_get_tsc_hz();
  const uint64_t tsc = rte_rdtsc();
  return {static_cast<int64_t>(tsc / hz * 1'000'000'000 + tsc % hz * 1'000'000'000 / hz)};
}

struct Clocks {
  MonoTime clock;
  MonoTime tsc;
};

// Both clocks at one instant: a preemption between the two readings would pass for a pause that one of them hides.
Clocks ReadClocks() {
  constexpr Duration kOneInstant = Microseconds(50);
  constexpr int kTries = 3;
  Clocks read;
  for (int i = 0; i < kTries; ++i) {
    const MonoTime before = TscNow();
    read = {.clock = Now(), .tsc = TscNow()};
    if (read.tsc - before <= kOneInstant) break;
  }
  return read;
}

// The tag that a port has moved into the mbuf goes back to where the pipeline looks for it.
bool RestoreVlan(rte_mbuf* mbuf) {
  return (mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) == 0 || rte_vlan_insert(&mbuf) == 0;
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

void MarkControlFrame(rte_mbuf* mbuf, bool answer) {
  mbuf->hash.usr = answer ? 1 : 0;
}

Worker::Worker(const WorkerOptions& options, Publisher* publisher, LeaseGate* gate, WorkerCounters* counters)
    : options_(options),
      publisher_(publisher),
      gate_(gate),
      stall_guard_(gate),
      counters_(counters),
      cluster_(
          options.cluster, gate, [this](const Event& event) { SendSurely(event); },
          &counters->lan_reasons[static_cast<size_t>(Reason::no_room)]),
      flows_(WithReports(options), counters),
      events_budget_{.cost = kEventCost, .saved = kEventBurst, .spent_until = {}},
      wanted_budget_{.cost = kRepeatedCost, .saved = kEventBurst, .spent_until = {}},
      service_mac_budget_(wanted_budget_),
      unanswered_budget_(wanted_budget_),
      group_query_budget_(wanted_budget_) {
  waiting_.reserve(kMaxWaiting);
  held_.reserve(kMaxHeld);
}

void Worker::Run(const std::atomic<bool>& stop) {
  prctl(PR_SET_TIMERSLACK, 1'000);  // ns; the default of 50 µs would double the shortest nap
  // Several nodes may share a core, and a heartbeat that comes late is a lease lost. Where it is not allowed it works
  // without, only less evenly.
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), -20);
  WatchInterrupts();
  publisher_->Online(options_.id);
  while (!stop.load(std::memory_order_relaxed)) {
    if (RunOnce() > 0) {
      empty_rounds_ = 0;
      nap_ns_ = kShortestNapNs;
    } else if (++empty_rounds_ >= kBusyRounds) {
      Idle();
    }
  }
  publisher_->Offline(options_.id);
}

size_t Worker::RunOnce() {
  const Duration stall = CheckStall();
  const Snapshot& snapshot = *publisher_->current();
  cluster_.Begin(round_start_, snapshot);
  heartbeats_seen_ = 0;
  size_t frames = ReceiveControl(snapshot);
  frames += ReceiveLan(snapshot);
  NoteControlAlive(stall);
  frames += ReceiveHost(snapshot);
  FlushLan();
  Transmit(options_.host_port, Reason::host_full, &to_host_, &counters_->host);
  TendFlows(snapshot);
  publisher_->Quiescent(options_.id);
  frames -= std::min(heartbeats_seen_, kQuietHeartbeats);
  if (!waiting_.empty()) SendWaiting();
  if (wake_control_) {
    wake_control_ = false;
    eventfd_write(options_.event_fd, 1);
  }
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
  SendSurely({.kind = EventKind::kStalled, .span = stall, .stalls = gate_->stalls()});
  return stall;
}

// What the heartbeater has to say leaves before everything else: answers wait for a lease, not the other way round.
void Worker::NoteControlAlive(Duration stall) {
  cluster_.NoteControlAlive(stall);
  for (rte_mbuf* mbuf : cluster_.TakeSent()) {
    heartbeats_.mbufs[heartbeats_.count] = mbuf;
    heartbeats_.reasons[heartbeats_.count] = Reason::heartbeat_sent;
    heartbeats_.from[heartbeats_.count++] = From::kLan;
  }
  Transmit(options_.lan_port, Reason::lan_full, &heartbeats_, &counters_->lan);
}

// A burst that is not full has emptied the queue of all that had arrived when the round began. A queue that never
// empties has been gone through once as many frames were received as it can hold.
void Worker::NoteReceived(uint16_t count) {
  if (count == kBurst) {
    full_frames_ += count;
    if (full_frames_ < kQueueFrames) return;
    counters_->received_before_ns.Set(full_since_.ns);
  } else {
    counters_->received_before_ns.Set(round_start_.ns);
  }
  full_since_ = round_start_;
  full_frames_ = 0;
}

size_t Worker::ReceiveLan(const Snapshot& snapshot) {
  Mbufs mbufs;
  const uint16_t count = rte_eth_rx_burst(options_.lan_port, options_.queue, mbufs.data(), kBurst);
  if (count > 0) {
    Load(From::kLan, count, &mbufs, &counters_->lan);
    ProcessLan(snapshot, flows_.At(round_start_), &batch_);
    Dispatch(From::kLan, mbufs);
    ReportEvents();
  }
  NoteReceived(count);
  return count;
}

size_t Worker::ReceiveHost(const Snapshot& snapshot) {
  Mbufs mbufs;
  const uint16_t count = rte_eth_rx_burst(options_.host_port, options_.queue, mbufs.data(), kBurst);
  if (count == 0) return 0;
  Load(From::kHost, count, &mbufs, &counters_->host);
  ProcessHost(snapshot, flows_.At(round_start_), &batch_);
  Dispatch(From::kHost, mbufs);
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
  wake_control_ |= flows_.Round(round_start_, snapshot);
  for (const HeavyHitterSighting& sighting : flows_.TakeSightings()) {
    const Event event{.kind = EventKind::kHeavyHitter, .many = sighting.many, .ip = AddressOf(sighting.remote)};
    if (!SendEvent(event)) counters_->events_lost.Add(1);
  }
}

size_t Worker::ReceiveControl(const Snapshot& snapshot) {
  if (options_.control == nullptr) return 0;
  Mbufs mbufs;
  void** const slots = reinterpret_cast<void**>(mbufs.data());
  const auto count = static_cast<uint16_t>(rte_ring_dequeue_burst(options_.control, slots, kBurst, nullptr));
  if (count == 0) return 0;
  Load(From::kLan, count, &mbufs, nullptr);
  for (size_t i = 0; i < batch_.count; ++i) {
    batch_.reasons[i] = ProcessControl(snapshot, mbufs[i]->hash.usr != 0, &batch_.frames[i]);
  }
  Dispatch(From::kLan, mbufs);
  return count;
}

// Makes the batch from mbufs. Those that the pipeline cannot work on are freed and the others moved up.
void Worker::Load(From from, uint16_t count, Mbufs* mbufs, PortCounters* port) {
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
      Finish(from, Reason::no_room);
      rte_pktmbuf_free(mbuf);
      continue;
    }
    batch_.frames[batch_.count] = FrameOf(mbuf);
    (*mbufs)[batch_.count++] = mbuf;
  }
  if (port == nullptr) return;
  port->rx_frames.Add(count);
  port->rx_bytes.Add(bytes);
}

void Worker::Dispatch(From from, const Mbufs& mbufs) {
  for (size_t i = 0; i < batch_.count; ++i) {
    const Reason reason = batch_.reasons[i];
    const Verdict verdict = VerdictOf(reason);
    if (verdict == Verdict::kDrop) {
      Finish(from, reason);
      rte_pktmbuf_free(mbufs[i]);
      continue;
    }
    WriteBack(batch_.frames[i], mbufs[i]);
    if (verdict == Verdict::kControl) {
      ToCluster(reason, i, mbufs[i]);
      continue;
    }
    TxQueue& queue = verdict == Verdict::kHost ? to_host_ : to_lan_;
    queue.mbufs[queue.count] = mbufs[i];
    queue.reasons[queue.count] = reason;
    queue.from[queue.count++] = from;
  }
}

void Worker::ToCluster(Reason reason, size_t index, rte_mbuf* mbuf) {
  if (!cluster_.Take(reason, batch_.parsed[index], mbuf)) {
    Finish(From::kLan, Reason::cluster_full);
    rte_pktmbuf_free(mbuf);
    return;
  }
  Finish(From::kLan, reason);
  if (reason == Reason::cluster_heartbeat) {
    ++heartbeats_seen_;
  } else {
    wake_control_ = true;
  }
}

void Worker::FlushLan() {
  if (!held_.empty()) ReleaseHeld();
  if (to_lan_.count == 0) return;
  if (!MayTransmit()) WithholdAnswers();
  Transmit(options_.lan_port, Reason::lan_full, &to_lan_, &counters_->lan);
}

bool Worker::MayTransmit() const {
  const Clocks now = ReadClocks();
  return stall_guard_.MayTransmit(now.clock, now.tsc);
}

void Worker::WithholdAnswers() {
  uint16_t kept = 0;
  for (uint16_t i = 0; i < to_lan_.count; ++i) {
    if (VerdictOf(to_lan_.reasons[i]) == Verdict::kAnswer) {
      HoldOrDrop({to_lan_.mbufs[i], to_lan_.reasons[i], to_lan_.from[i]});
      continue;
    }
    to_lan_.mbufs[kept] = to_lan_.mbufs[i];
    to_lan_.reasons[kept] = to_lan_.reasons[i];
    to_lan_.from[kept++] = to_lan_.from[i];
  }
  to_lan_.count = kept;
}

// Under lease a master that stood still for a moment is told of its lease by the next acknowledgement: the answers that
// it has made can leave then. Any other gate that is shut stays so for longer.
void Worker::HoldOrDrop(const Held& answer) {
  if (gate_->mode() == GateMode::kLeased && held_.size() < kMaxHeld) {
    if (held_.empty()) held_since_ = round_start_;
    held_.push_back(answer);
    return;
  }
  Finish(answer.from, Reason::gate_shut);
  rte_pktmbuf_free(answer.mbuf);
}

// Before anything newer, and a burst for each look at the gate.
void Worker::ReleaseHeld() {
  size_t sent = 0;
  while (sent < held_.size() && MayTransmit()) {
    TxQueue queue;
    for (; sent < held_.size() && queue.count < kBurst; ++sent) {
      queue.mbufs[queue.count] = held_[sent].mbuf;
      queue.reasons[queue.count] = held_[sent].reason;
      queue.from[queue.count++] = held_[sent].from;
    }
    Transmit(options_.lan_port, Reason::lan_full, &queue, &counters_->lan);
  }
  held_.erase(held_.begin(), held_.begin() + static_cast<ptrdiff_t>(sent));
  if (gate_->mode() != GateMode::kLeased || round_start_ - held_since_ > kHoldAnswers) DropHeld();
}

void Worker::DropHeld() {
  for (const Held& answer : held_) {
    Finish(answer.from, Reason::gate_shut);
    rte_pktmbuf_free(answer.mbuf);
  }
  held_.clear();
}

// Sends what has been gathered; what the port does not take is freed.
void Worker::Transmit(uint16_t port, Reason full, TxQueue* queue, PortCounters* port_counters) {
  if (queue->count == 0) return;
  uint64_t bytes = 0;
  for (uint16_t i = 0; i < queue->count; ++i) bytes += queue->mbufs[i]->pkt_len;
  uint16_t sent = 0;
  uint16_t took = 0;
  do {  // some drivers take a limited number at a time
    took = rte_eth_tx_burst(port, options_.queue, &queue->mbufs[sent], static_cast<uint16_t>(queue->count - sent));
    sent = static_cast<uint16_t>(sent + took);
  } while (took > 0 && sent < queue->count);
  for (uint16_t i = 0; i < sent; ++i) Finish(queue->from[i], queue->reasons[i]);
  for (uint16_t i = sent; i < queue->count; ++i) {
    bytes -= queue->mbufs[i]->pkt_len;
    Finish(queue->from[i], full);
    rte_pktmbuf_free(queue->mbufs[i]);
  }
  port_counters->tx_frames.Add(sent);
  port_counters->tx_bytes.Add(bytes);
  queue->count = 0;
}

// The end of a frame's way. Each is counted once.
void Worker::Finish(From from, Reason reason) {
  auto& reasons = from == From::kLan ? counters_->lan_reasons : counters_->host_reasons;
  reasons[static_cast<size_t>(reason)].Add(1);
}

bool Worker::Budget::Take(MonoTime now) {
  spent_until = std::max(spent_until, now - saved);
  if (spent_until + cost > now) return false;
  spent_until = spent_until + cost;
  return true;
}

Worker::Budget* Worker::BudgetOf(EventKind kind) {
  switch (kind) {
    case EventKind::kAddressWanted:
      return &wanted_budget_;
    case EventKind::kServiceMacSeen:
      return &service_mac_budget_;
    case EventKind::kUnanswered:
      return &unanswered_budget_;
    case EventKind::kGroupQuery:
      return &group_query_budget_;
    default:
      return &events_budget_;
  }
}

void Worker::ReportEvents() {
  for (size_t i = 0; i < batch_.event_count; ++i) {
    const Event& event = batch_.events[i];
    if (!BudgetOf(event.kind)->Take(round_start_) || !SendEvent(event)) counters_->events_lost.Add(1);
  }
}

bool Worker::SendEvent(const Event& event) {
  Event element = event;
  if (rte_ring_enqueue_elem(options_.events, &element, sizeof(element)) != 0) return false;
  wake_control_ = true;
  return true;
}

// Of the heartbeater and of stalls: each is said once, so none may be lost while the control thread is late.
void Worker::SendSurely(const Event& event) {
  if (waiting_.empty() && SendEvent(event)) return;
  if (waiting_.size() < kMaxWaiting) {
    waiting_.push_back(event);
  } else {
    counters_->events_lost.Add(1);
  }
}

void Worker::SendWaiting() {
  size_t sent = 0;
  while (sent < waiting_.size() && SendEvent(waiting_[sent])) ++sent;
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(sent));
}

void Worker::WatchInterrupts() {
  if (!options_.interrupts) return;
  for (const uint16_t port : {options_.lan_port, options_.host_port}) {
    rte_eth_dev_rx_intr_ctl_q(port, options_.queue, RTE_EPOLL_PER_THREAD, RTE_INTR_EVENT_ADD, nullptr);
  }
}

// Sleeps until a frame arrives, or for a nap where a port cannot tell; at most until the heartbeater's next deadline.
void Worker::Idle() {
  const MonoTime start = Now();
  const Duration left = cluster_.deadline() - start;
  if (left <= Duration{}) return;  // the heartbeater waits for the queue to be found empty
  publisher_->Offline(options_.id);
  const int wait_ms = cluster_.awake() ? kLeaseWaitMs : kInterruptWaitMs;
  if (options_.interrupts && left >= Milliseconds(wait_ms)) {
    AwaitInterrupt(wait_ms);
  } else {
    // The tap driver's signal ends the nap when the kernel has a frame.
    const timespec nap = {.tv_sec = 0, .tv_nsec = std::min(nap_ns_, left.ns)};
    nanosleep(&nap, nullptr);
    nap_ns_ = std::min(nap_ns_ + nap_ns_ / 8, kLongestNapNs);  // 50 µs to 1 ms within 9 ms
  }
  publisher_->Online(options_.id);
  counters_->sleeps.Add(1);
  counters_->sleep_ns.Add(static_cast<uint64_t>((Now() - start).ns));
}

void Worker::AwaitInterrupt(int wait_ms) {
  // A frame that came before its interrupt was enabled waits for the timeout, no longer. Some drivers have them always
  // enabled.
  rte_eth_dev_rx_intr_enable(options_.lan_port, options_.queue);
  rte_eth_dev_rx_intr_enable(options_.host_port, options_.queue);
  rte_epoll_event events[2];
  rte_epoll_wait(RTE_EPOLL_PER_THREAD, events, 2, wait_ms);
  rte_eth_dev_rx_intr_disable(options_.lan_port, options_.queue);
  rte_eth_dev_rx_intr_disable(options_.host_port, options_.queue);
}

}  // namespace qure
