#include "control/core/balance/flow_querier.h"

#include <algorithm>

#include "control/core/timers.h"

namespace qure {

void FlowQuerier::Ask(MonoTime now, const Question& question, uint64_t nonce) {
  asked_.push_back({.question = question, .nonce = nonce, .tries = 0, .next = now});
}

std::optional<FlowQuerier::Question> FlowQuerier::Take(uint64_t nonce) {
  const auto found = std::ranges::find(asked_, nonce, &Asking::nonce);
  if (found == asked_.end()) return std::nullopt;
  const Question question = found->question;
  asked_.erase(found);
  return question;
}

void FlowQuerier::Tick(MonoTime now, const Membership& members, Transport* transport, Actions* out) {
  std::erase_if(asked_, [&](const Asking& asking) {
    if (asking.tries < kFlowQueryTries || now < asking.next) return false;
    out->push_back(FlowAnswered{.id = asking.question.id, .answered = false, .flow = {}});
    return true;
  });
  for (Asking& asking : asked_) {
    if (now < asking.next) continue;
    asking.next = now + kFlowQueryInterval;
    ++asking.tries;
    const Member* const member = members.Find(asking.question.whom);
    if (member == nullptr) continue;
    wire::Message message;
    message.mutable_flow_query()->set_nonce(asking.nonce);
    *message.mutable_flow_query()->mutable_flow() = WriteFlow(asking.question.flow);
    transport->SendTo(member->at, message, out);
  }
}

MonoTime FlowQuerier::deadline() const {
  MonoTime next = kNever;
  for (const Asking& asking : asked_) next = std::min(next, asking.next);
  return next;
}

}  // namespace qure
