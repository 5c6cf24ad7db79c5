#include "control/core/cluster/lease_memory.h"

#include <algorithm>

#include "control/core/timers.h"
#include "proto/mutation.h"

namespace qure {

void LeaseMemory::OnEvent(MonoTime now, const Event& event, const std::optional<BootId>& peer) {
  switch (event.kind) {
    case EventKind::kLeaseLost:  // `span` is D; 3/4 of it have passed without an acknowledgement
      if (peer) broken_ = Break{.peer = *peer, .since = now - event.span * 3 / 4};
      return;
    case EventKind::kLeaseRenewed:
      if (broken_) End(now);
      return;
    case EventKind::kLeaseLapsed:
      if (broken_) broken_->parted = true;
      return;
    case EventKind::kMasterSilent:  // `span` is D, which had passed at `at`
      if (peer) broken_ = Break{.peer = *peer, .since = event.at - event.span, .parted = true};
      return;
    default:
      return;
  }
}

void LeaseMemory::OnHeard(MonoTime now, const BootId& boot) {
  if (broken_ && broken_->parted && broken_->peer == boot) End(now);
}

void LeaseMemory::End(MonoTime now) {
  const Duration gap = now - broken_->since;
  broken_.reset();
  if (gap <= kLongestDisturbance) Note(now, gap);
}

void LeaseMemory::Note(MonoTime now, Duration gap) {
  if (Mutated(Mutation::kForgetDisturbances)) return;
  wanted_ = std::max(MinLease(now), gap * 3 / 2);
  noted_ = now;
}

// Whole for kRememberDisturbance, then half as much after each kForgetHalf.
Duration LeaseMemory::MinLease(MonoTime now) const {
  const Duration age = now - noted_;
  if (age <= kRememberDisturbance) return wanted_;
  const int64_t halvings = (age - kRememberDisturbance).ns / kForgetHalf.ns + 1;
  return halvings < 8 ? wanted_ / (int64_t{1} << halvings) : Duration{};
}

}  // namespace qure
