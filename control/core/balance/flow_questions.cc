#include "control/core/balance/flow_questions.h"

#include <vector>

#include "absl/random/distributions.h"
#include "control/core/wire.h"

namespace qure {

void FlowQuestions::Ask(MonoTime now, const QueryFlow& question, const Balancer& balancer, bool clustered,
                        Actions* out) {
  const std::optional<OwnedFlow> flow = ids_->FlowOf(question.key);
  if (!flow || !clustered || question.whom == kSelfSlot) {
    out->push_back(LookUpFlow{.client = self_, .number = question.id, .key = question.key});
    return;
  }
  querier_.Ask(now, {.id = question.id, .whom = balancer.NodeAt(question.whom), .flow = *flow},
               absl::Uniform<uint64_t>(random_));
}

// An address that is not configured here has no flows.
void FlowQuestions::OnQuery(const Incoming& incoming, Actions* out) const {
  const wire::FlowQuery& query = incoming.message.flow_query();
  const std::vector<OwnedFlow> flows = ReadFlows(query.flow());
  if (flows.size() != 1) return;
  const FlowKey key = ids_->KeyOf(flows[0]).value_or(flows[0].key);
  out->push_back(LookUpFlow{.client = incoming.node, .number = query.nonce(), .key = key});
}

void FlowQuestions::OnFound(const LookUpFlow& question, const std::optional<FlowEntry>& found, const Balancer& balancer,
                            const Membership& members, Transport* transport, Actions* out) const {
  if (question.client == self_) {
    out->push_back(FlowAnswered{.id = question.number, .answered = true, .flow = found});
    return;
  }
  const Member* const client = members.Find(question.client);
  if (client == nullptr) return;
  wire::Message message;
  wire::FlowReply* const reply = message.mutable_flow_reply();
  reply->set_nonce(question.number);
  reply->set_known(found.has_value());
  if (found) {
    reply->set_owner(WriteId(balancer.NodeAt(found->owner)));
    reply->set_state(static_cast<uint32_t>(found->state));
    reply->set_pinned(found->pinned);
  }
  transport->SendTo(client->at, message, out);
}

void FlowQuestions::OnReply(const wire::FlowReply& reply, Balancing* balancing, Actions* out) {
  const std::optional<NodeId> owner = ReadId(reply.owner());
  const std::optional<NodeSlot> slot = owner ? balancing->SlotOf(*owner) : std::nullopt;
  const bool sound = slot && reply.state() > static_cast<uint32_t>(FlowState::kFree) &&
                     reply.state() < static_cast<uint32_t>(FlowState::kFragments);
  if (reply.known() && !sound) return;
  const std::optional<FlowQuerier::Question> question = querier_.Take(reply.nonce());
  if (!question) return;
  FlowAnswered answer{.id = question->id, .answered = true, .flow = {}};
  if (reply.known()) {
    answer.flow = FlowEntry{.key = question->flow.key,
                            .owner = *slot,
                            .state = static_cast<FlowState>(reply.state()),
                            .pinned = reply.pinned()};
  }
  out->push_back(answer);
}

}  // namespace qure
