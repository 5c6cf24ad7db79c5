// The worker's half of a machine: what dataplane/worker.cc does around pipeline, gate and heartbeater, without DPDK.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "dataplane/pipeline/cluster_filter.h"
#include "dataplane/pipeline/host_filter.h"
#include "proto/net/ethernet.h"
#include "proto/net/ip.h"
#include "proto/net/tcp.h"
#include "proto/net/udp_frame.h"
#include "tests/sim/clients.h"
#include "tests/sim/monitor.h"
#include "tests/sim/node.h"

namespace qure::sim {
namespace {

constexpr Duration kNap = Milliseconds(1);  // an idle worker goes round at least so often
constexpr size_t kRingRoom = 512;
constexpr size_t kHeadroom = 128;
constexpr size_t kRoom = kHeadroom + kFrameRoom + 64;
constexpr size_t kInboxRoom = 1024;

bool IsSilent(const Snapshot& snapshot) {
  return snapshot.heartbeater == nullptr || snapshot.heartbeater->role == HeartbeatRole::kSilent;
}

}  // namespace

void Node::OnFrame(MonoTime now, FrameId frame) {
  if (!process_) return;
  if (ring_.size() >= kRingRoom || (!keep_ring_ && WorkerHeld(now))) return;
  parts_.pool->Hold(frame);
  ring_.push_back(frame);
  parts_.monitor->OnReceived(now, *this, frame);
  const Duration nap{static_cast<int64_t>(random_.Below(static_cast<uint64_t>(setup_.worker_latency.ns)))};
  WakeWorker(std::max(now + nap, last_round_ + setup_.busy_round));
}

bool Node::MayAnswer(MonoTime now) const {
  return process_ && !WorkerHeld(now) && flush_.at == kNever &&
         process_->guard.MayTransmit(clocks_.Monotonic(now), clocks_.Tsc(now));
}

void Node::OnWorkerDue(MonoTime now, uint64_t value) {
  if (!Due(&worker_wake_, value) && !Due(&worker_timer_, value)) return;
  if (now >= thaw_at_) {
    clocks_.Thaw(now);
    thaw_at_ = kNever;
  }
  if (WorkerHeld(now) || flush_.at != kNever) return WakeWorker(std::max(now + setup_.busy_round, worker_held_until_));
  Round(now);
  if (process_) PlanRound(now);
}

// The rounds of an idle worker since its last one: nothing was there, nothing was due, and nothing else saw them.
void Node::CatchUp(MonoTime now) {
  if (!process_ || process_->snapshot == nullptr || WorkerHeld(last_round_ + kNap)) return;
  const bool silent = IsSilent(*process_->snapshot);
  const MonoTime due = clocks_.WorldAt(last_round_, process_->heartbeater.NextDeadline());
  while (last_round_ + kNap < now && last_round_ + kNap < due) {
    last_round_ = last_round_ + kNap;
    const MonoTime local = clocks_.Monotonic(last_round_);
    process_->guard.Round(local, clocks_.Tsc(last_round_));
    if (!silent) process_->heartbeater.Round(local, process_->snapshot->heartbeater, Duration{}, true);
  }
}

void Node::Round(MonoTime now) {
  if (now < last_round_) return;
  CatchUp(now);
  Process& p = *process_;
  parts_.monitor->OnRound(now, *this, now - last_round_);
  unseen_ = false;
  last_round_ = now;
  const MonoTime local = clocks_.Monotonic(now);
  const Duration stall = p.guard.Round(local, clocks_.Tsc(now));
  if (stall > Duration{}) Report(now, {.kind = EventKind::kStalled, .span = stall, .stalls = p.gate.stalls()});
  const std::shared_ptr<const Snapshot> snapshot = p.snapshot;
  if (snapshot == nullptr) return;
  p.heartbeater.Use(local, snapshot->heartbeater);
  p.admission.Begin(local);
  QueueControlFrames(*snapshot);
  const size_t received = Receive(now, *snapshot);
  LookForBacklog(now, *snapshot, received);
  if (p.flows.Round(local, *snapshot)) WakeControl(now);
  if (!IsSilent(*snapshot)) p.heartbeater.Round(local, snapshot->heartbeater, stall, received < kBurst);
  if (!ring_.empty() || !p.outbox.empty()) WakeWorker(now + setup_.busy_round);
  if (!Trapped(now, Where::kBeforeGate)) Flush(now);
}

void Node::QueueControlFrames(const Snapshot& snapshot) {
  for (size_t i = 0; i < kBurst && !process_->outbox.empty(); ++i) {
    const SendFrame& action = process_->outbox.front();
    Frame none;
    const Reason wanted = action.answer ? Reason::control_announce : Reason::control_frame;
    const Reason reason = ProcessControl(snapshot, wanted, &none);
    ++reasons_[static_cast<size_t>(reason)];
    Queue(action.bytes, VerdictOf(reason) == Verdict::kAnswer);
    process_->outbox.pop_front();
  }
}

size_t Node::Receive(MonoTime now, const Snapshot& snapshot) {
  const size_t count = std::min(ring_.size(), kBurst);
  if (count == 0) return 0;
  Load(count);
  ProcessLan(snapshot, process_->memory(clocks_.Monotonic(now)), &batch_);
  for (size_t i = 0; i < batch_.count; ++i) Dispatch(now, i);
  ReportEvents(now);
  return count;
}

void Node::LookForBacklog(MonoTime now, const Snapshot& snapshot, size_t received) {
  const auto events = std::span(batch_.events).first(received > 0 ? batch_.event_count : 0);
  const bool rival = std::ranges::find(events, EventKind::kServiceMacSeen, &Event::kind) != events.end();
  const RoundReceipt receipt{.frames = static_cast<uint32_t>(received),
                             .more = received == kBurst,
                             .rival = rival,
                             .clustered = snapshot.cluster_port != 0};
  if (process_->guard.Received(clocks_.Monotonic(now), receipt)) WakeControl(now);
}

void Node::Dispatch(MonoTime now, size_t index) {
  const Reason reason = batch_.reasons[index];
  ++reasons_[static_cast<size_t>(reason)];
  const ConstBytes frame = batch_.frames[index].bytes();
  const Parsed& parsed = batch_.parsed[index];
  switch (VerdictOf(reason)) {
    case Verdict::kDrop:
      return;
    case Verdict::kHost:
      return AnswerFromKernel(now, index, parts_.clients->OnKernel(now, *this, frame));
    case Verdict::kLan:
      return Queue(frame, false);
    case Verdict::kAnswer:
      return Queue(frame, true);
    case Verdict::kControl:
      break;
  }
  if (reason == Reason::cluster_heartbeat) {
    process_->heartbeater.Receive(clocks_.Monotonic(now), ClusterPayload(frame, parsed.transport));
    return;
  }
  auto& inbox = reason == Reason::cluster_message    ? process_->datagrams
                : reason == Reason::cluster_adoption ? process_->adoptions
                                                     : process_->strangers;
  if (inbox.size() >= kInboxRoom) return;
  inbox.push_back(ClusterDatagram(frame, parsed.network, parsed.transport));
  WakeControl(now);
}

// What the kernel sends back is seen by the packet path. Nobody waits for it on the LAN: clients know by themselves.
void Node::AnswerFromKernel(MonoTime now, size_t index, uint8_t flags) {
  if (flags == 0) return;
  std::array<uint8_t, kMinimumFrame> bytes;
  std::memcpy(bytes.data(), batch_.frames[index].data, bytes.size());
  auto* const ethernet = reinterpret_cast<EthernetHeader*>(bytes.data());
  auto* const ip = reinterpret_cast<Ipv4Header*>(ethernet + 1);
  auto* const tcp = reinterpret_cast<TcpHeader*>(ip + 1);
  std::swap(ethernet->source, ethernet->destination);
  std::swap(ip->source, ip->destination);
  std::swap(tcp->source_port, tcp->destination_port);
  const bool counts = (tcp->flags & (kTcpSyn | kTcpFin)) != 0;  // as a byte (RFC 9293 §3.4)
  tcp->acknowledgment = Be32(tcp->sequence.value() + (counts ? 1 : 0));
  tcp->flags = flags;
  Frame frame{.data = bytes.data(), .length = static_cast<uint16_t>(bytes.size())};
  FilterHostFrame(*process_->snapshot, process_->memory(clocks_.Monotonic(now)), &frame);
}

void Node::Load(size_t count) {
  if (rooms_.empty()) rooms_.resize(kBurst * kRoom);
  batch_.count = count;
  for (size_t i = 0; i < count; ++i) {
    const FrameId id = ring_.front();
    ring_.pop_front();
    const ConstBytes bytes = parts_.pool->bytes(id);
    uint8_t* const data = &rooms_[i * kRoom + kHeadroom];
    std::memcpy(data, bytes.data(), bytes.size());
    batch_.frames[i] = {.data = data,
                        .length = static_cast<uint16_t>(bytes.size()),
                        .headroom = kHeadroom,
                        .tailroom = static_cast<uint16_t>(kRoom - kHeadroom - bytes.size())};
    parts_.pool->Drop(id);
  }
}

void Node::Queue(ConstBytes bytes, bool answer) {
  const auto begin = static_cast<uint32_t>(out_bytes_.size());
  out_bytes_.insert(out_bytes_.end(), bytes.begin(), bytes.end());
  out_.push_back({.begin = begin, .end = static_cast<uint32_t>(out_bytes_.size()), .answer = answer});
}

void Node::SendHeartbeat(const HeartbeatPlan& plan, ConstBytes datagram) {
  std::array<uint8_t, 256> frame;
  const size_t length = kUdpFrameHeaders + datagram.size();
  WriteUdpFrame({.ethernet_source = plan.mac,
                 .ethernet_destination = plan.peer.mac,
                 .source = plan.address,
                 .destination = plan.peer.address,
                 .source_port = plan.port,
                 .destination_port = plan.port},
                datagram, {frame.data(), length});
  Queue({frame.data(), length}, false);
  parts_.monitor->OnHeartbeatSent(last_round_, *this);
}

// Whether the process is held here, now. What waits to be sent goes on when it is let go.
bool Node::Trapped(MonoTime now, Where where) {
  const bool waiting = std::ranges::any_of(out_, &Outgoing::answer);
  if (!trap_ || trap_->where != where || !waiting) return false;
  sprung_ = trap_;
  trap_.reset();
  const MonoTime until = now + sprung_->span;
  worker_held_until_ = std::max(worker_held_until_, until);
  HoldControl(now, until);
  Appoint(until, Happening::kFlush, &flush_);
  parts_.monitor->OnTrapped(now, *this);
  return true;
}

void Node::Flush(MonoTime now) {
  if (out_.empty()) return;
  const bool open = process_->guard.MayTransmit(clocks_.Monotonic(now), clocks_.Tsc(now));
  if (open && Trapped(now, Where::kBehindGate)) return;
  Transmit(now, open, false);
}

void Node::OnFlushDue(MonoTime now, uint64_t value) {
  if (!Due(&flush_, value) || !process_ || !sprung_) return;
  const bool behind = sprung_->where == Where::kBehindGate;
  sprung_.reset();
  if (behind) {
    Transmit(now, true, true);
  } else {
    Transmit(now, process_->guard.MayTransmit(clocks_.Monotonic(now), clocks_.Tsc(now)), false);
  }
  WakeWorker(now + setup_.busy_round);
}

void Node::Transmit(MonoTime now, bool open, bool held) {
  for (const Outgoing& out : out_) {
    if (out.answer && !open) {
      ++reasons_[static_cast<size_t>(Reason::gate_shut)];
      continue;
    }
    parts_.lan->Transmit(now, port_, {out_bytes_.data() + out.begin, out_bytes_.data() + out.end}, {.held = held});
  }
  out_.clear();
  out_bytes_.clear();
}

void Node::ReportEvents(MonoTime now) {
  Process& p = *process_;
  const MonoTime local = clocks_.Monotonic(now);
  for (size_t i = 0; i < batch_.event_count; ++i) {
    if (p.event_budget.Take(local, batch_.events[i])) Report(now, batch_.events[i]);
  }
}

}  // namespace qure::sim
