// Answers that met a gate in doubt. Under lease, a master that stood still for a moment learns of its lease with the
// next acknowledgement: the answers that it made meanwhile can leave then. So can those to a backlog, also without a
// lease. A gate that is shut for any other reason stays shut for longer, and what meets it is dropped.
#pragma once

#include <vector>

#include "dataplane/lease/lease_gate.h"
#include "dataplane/pipeline/counters.h"
#include "dataplane/transmit_queue.h"
#include "proto/time.h"

namespace qure {

class HeldAnswers {
 public:
  // `lan`: where the answers leave.
  HeldAnswers(const TransmitOptions& lan, const LeaseGate* gate, const StallGuard* guard, WorkerCounters* counters);

  bool empty() const { return held_.empty(); }
  // Keeps an answer that may not leave now, or drops it.
  void HoldOrDrop(MonoTime now, const OutgoingFrame& answer);
  // Sends what may leave by now, and drops what has waited for too long. To be called before anything newer is sent.
  void Release(MonoTime now);

 private:
  bool MayOpenSoon() const { return gate_->mode() == GateMode::kLeased || gate_->InDoubt(); }
  void Drop(const OutgoingFrame& answer);

  const LeaseGate* const gate_;
  const StallGuard* const guard_;
  WorkerCounters* const counters_;
  TransmitQueue queue_;
  std::vector<OutgoingFrame> held_;
  MonoTime held_since_;
};

}  // namespace qure
