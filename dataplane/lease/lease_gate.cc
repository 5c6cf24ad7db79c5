#include "dataplane/lease/lease_gate.h"

#include <algorithm>

#include "proto/check.h"
#include "proto/mutation.h"

namespace qure {

void LeaseGate::OpenSolo(uint64_t stalls_known, uint64_t opening) {
  const uint64_t before = state_.load(std::memory_order_relaxed) >> 2;
  QURE_CHECK(opening != 0 && opening >= before, opening, before);
  state_.store(StateOf(opening, GateMode::kSolo), std::memory_order_release);
  // Last: a stall that is lifted for the new opening must not open what is left of the old one.
  Lift(stalls_known, &stalls_lifted_);
}

void LeaseGate::Shut() {
  const uint64_t opening = state_.load(std::memory_order_relaxed) >> 2;
  state_.store(StateOf(opening, GateMode::kShut), std::memory_order_release);
}

void LeaseGate::NoteControlAlive(MonoTime now) {
  control_alive_ns_.store(now.ns, std::memory_order_release);
  control_liveness_.store(control_liveness_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

void LeaseGate::NoteMessagesHeard(uint64_t backlogs) {
  if (mode() == GateMode::kSolo) Lift(backlogs, &backlogs_lifted_);
}

// The stall first: the gate must not be open between the two.
void LeaseGate::SetLink(bool up) {
  if (up && !link_up_.load(std::memory_order_relaxed)) stalls_.fetch_add(1, std::memory_order_acq_rel);
  link_up_.store(up, std::memory_order_release);
}

bool LeaseGate::Bind(uint64_t opening, MonoTime until, Duration lease) {
  QURE_CHECK(opening != 0 && lease > Duration{}, opening, lease);
  // Before the mode: a thread that sees the lease sees its end. While the gate is not under lease, no thread looks at
  // them.
  if (mode() == GateMode::kLeased) return false;
  until_ns_.store(until.ns, std::memory_order_release);
  lease_ns_.store(lease.ns, std::memory_order_release);
  uint64_t expected = StateOf(opening, GateMode::kSolo);
  return state_.compare_exchange_strong(expected, StateOf(opening, GateMode::kLeased), std::memory_order_acq_rel);
}

bool LeaseGate::Leased(uint64_t opening) const {
  return state_.load(std::memory_order_acquire) == StateOf(opening, GateMode::kLeased);
}

void LeaseGate::Extend(MonoTime until, Duration lease, const GateMarks& known) {
  if (mode() != GateMode::kLeased) return;
  until_ns_.store(std::max(until.ns, until_ns_.load(std::memory_order_relaxed)), std::memory_order_release);
  lease_ns_.store(lease.ns, std::memory_order_release);
  Lift(known.stalls, &stalls_lifted_);
  Lift(known.backlogs, &backlogs_lifted_);
}

// What is lifted stays so: that the lease, or a listen, was good after it does not become untrue.
void LeaseGate::Lift(uint64_t known, std::atomic<uint64_t>* lifted) {
  uint64_t before = lifted->load(std::memory_order_relaxed);
  while (before < known && !lifted->compare_exchange_weak(before, known, std::memory_order_acq_rel)) {
  }
}

bool LeaseGate::MayTransmit(MonoTime now) const {
  const GateMode mode_now = mode();
  if (mode_now == GateMode::kShut) return false;
  if (Mutated(Mutation::kDoNotGate)) return true;
  if (!link_up_.load(std::memory_order_acquire) || InDoubt()) return false;
  if (stalls_lifted_.load(std::memory_order_acquire) != stalls()) return false;
  if (mode_now == GateMode::kLeased && now.ns >= until_ns_.load(std::memory_order_acquire)) return false;
  return now.ns - control_alive_ns_.load(std::memory_order_acquire) <= limits_.max_control_silence.ns;
}

Duration LeaseGate::MaxGap() const {
  if (mode() != GateMode::kLeased) return limits_.max_gap;
  return std::min(limits_.max_gap, Duration{lease_ns_.load(std::memory_order_acquire)} / 2);
}

Duration StallGuard::Gap(MonoTime clock, MonoTime tsc) const {
  return std::max(clock - last_clock_, tsc - last_tsc_);
}

bool StallGuard::IsStall(MonoTime clock, MonoTime tsc) const {
  const Duration max_gap = gate_->MaxGap();
  if (Gap(clock, tsc) > max_gap) return true;
  // What the clock has not seen prolongs the lease unnoticed. Between its 3/4 D and the deputy's D there is room for
  // this much (D/8), drift included, and no more.
  const Duration hidden = (tsc - last_tsc_) - (clock - last_clock_);
  return hidden > max_gap / 4;
}

Duration StallGuard::Round(MonoTime clock, MonoTime tsc) {
  const bool stall = started_ && IsStall(clock, tsc) && !Mutated(Mutation::kIgnoreStall);
  const Duration gap = stall ? Gap(clock, tsc) : Duration{};
  started_ = true;
  last_clock_ = clock;
  last_tsc_ = tsc;
  if (stall) gate_->stalls_.fetch_add(1, std::memory_order_acq_rel);
  return gap;
}

bool StallGuard::Received(MonoTime now, const RoundReceipt& receipt) {
  bool doubt = backlog_.Received(now, receipt.frames);
  const GateMode mode = gate_->mode();
  const bool ignore = Mutated(Mutation::kAnswerBacklog) || Mutated(Mutation::kIgnoreStall);
  if (mode == GateMode::kShut || !receipt.clustered || ignore) {
    waiting_ = 0;
    return false;
  }
  if (doubt) waiting_ = kLongestBacklog;
  // Under lease the proof is newer than all that waits. Solo, there is none but the messages that wait with the frames:
  // the last of them counts.
  if (mode == GateMode::kSolo && waiting_ > 0 && receipt.more) {
    waiting_ -= std::min(waiting_, receipt.frames);
    doubt = true;
  } else {
    waiting_ = 0;
  }
  // Where this one leads, nobody else sends from the service MAC.
  if (receipt.rival && now >= next_rival_) {
    next_rival_ = now + BacklogWatch::kMoment;
    doubt = true;
  }
  if (doubt) gate_->backlogs_.fetch_add(1, std::memory_order_acq_rel);
  return doubt;
}

bool StallGuard::MayTransmit(MonoTime clock, MonoTime tsc) const {
  const bool ignore = Mutated(Mutation::kIgnoreStall) || Mutated(Mutation::kDoNotGate);
  return (ignore || !IsStall(clock, tsc)) && gate_->MayTransmit(clock);
}

}  // namespace qure
