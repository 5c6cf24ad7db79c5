#include "dataplane/held_answers.h"

#include <rte_mbuf.h>

#include "dataplane/clocks.h"

namespace qure {
namespace {

// An answer waits so long for a gate in doubt: some round trips of a heartbeat. At most kMaxHeld wait: what comes in
// within that time at 50,000 a second.
constexpr Duration kHoldAnswers = Milliseconds(10);
constexpr size_t kMaxHeld = 512;

}  // namespace

HeldAnswers::HeldAnswers(const TransmitOptions& lan, const LeaseGate* gate, const StallGuard* guard,
                         WorkerCounters* counters)
    : gate_(gate), guard_(guard), counters_(counters), queue_(lan, counters, &counters->lan) {
  held_.reserve(kMaxHeld);
}

void HeldAnswers::HoldOrDrop(MonoTime now, const OutgoingFrame& answer) {
  if (!MayOpenSoon() || held_.size() >= kMaxHeld) return Drop(answer);
  if (held_.empty()) held_since_ = now;
  held_.push_back(answer);
}

// The gate is asked before each burst.
void HeldAnswers::Release(MonoTime now) {
  size_t sent = 0;
  while (sent < held_.size() && MayTransmitNow(*guard_)) {
    for (; sent < held_.size() && queue_.count() < kBurst; ++sent) queue_.Add(held_[sent]);
    queue_.Send();
  }
  held_.erase(held_.begin(), held_.begin() + static_cast<ptrdiff_t>(sent));
  if (MayOpenSoon() && now - held_since_ <= kHoldAnswers) return;
  for (const OutgoingFrame& answer : held_) Drop(answer);
  held_.clear();
}

void HeldAnswers::Drop(const OutgoingFrame& answer) {
  counters_->Count(answer.from, Reason::gate_shut);
  rte_pktmbuf_free(answer.mbuf);
}

}  // namespace qure
