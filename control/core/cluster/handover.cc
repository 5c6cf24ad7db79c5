#include "control/core/cluster/handover.h"

#include <algorithm>
#include <utility>

#include "control/core/timers.h"
#include "proto/check.h"
#include "proto/mutation.h"

namespace qure {

void Handover::Begin(MonoTime now, const NodeId& successor) {
  plan_ = Plan{.successor = successor, .until = now + kInformTimeout};
}

Handover::Step Handover::Advance(MonoTime now, bool is_deputy, bool informed) {
  QURE_CHECK(plan_.has_value());
  const bool late = now >= plan_->until;
  const bool ready = informed || late || Mutated(Mutation::kHandOverUninformed);
  if (!plan_->asked && is_deputy && ready) {
    plan_->asked = true;
    plan_->until = now + kPrepareTimeout;
    return Step::kAsk;
  }
  if (!late) return Step::kWait;
  Cancel();
  return Step::kFail;
}

void Handover::Yield(MonoTime now, const Term& term) {
  QURE_CHECK(asked());
  yielded_ = {.successor = plan_->successor, .term = term};
  plan_.reset();
  yields_left_ = kYields;
  next_yield_ = now;
  answers_until_ = now + kHandoverAnswers;
}

std::optional<Handover::Yielded> Handover::TakeYield(MonoTime now) {
  if (now < next_yield_) return std::nullopt;
  next_yield_ = --yields_left_ > 0 ? next_yield_ + kYieldInterval : kNever;
  return yielded_;
}

void Handover::GiveUp(std::optional<NodeId> successor, const Term& term) {
  yielded_ = {.successor = successor.value_or(NodeId{}), .term = term};
  given_up_ = true;
  has_heir_ = successor.has_value();
}

bool Handover::TakeGivenUp(MonoTime now) {
  if (!std::exchange(given_up_, false)) return false;
  if (!has_heir_) return true;
  yields_left_ = kYields;
  next_yield_ = now;
  return true;
}

void Handover::StopYielding() {
  given_up_ = false;
  next_yield_ = kNever;
}

MonoTime Handover::deadline() const {
  const MonoTime step = plan_ ? plan_->until : kNever;
  return std::min({step, next_yield_, answers_until_});
}

}  // namespace qure
