// The Controller's part in what the workers' tables know of single flows: questions to the master and its answers.
#include <algorithm>

#include "absl/random/distributions.h"
#include "control/core/controller.h"
#include "control/core/wire.h"

namespace qure {

// Local addresses and nodes are numbered by each process as it likes: on the wire they have their own names.
std::optional<OwnedFlow> Controller::FlowOf(const FlowKey& key) const {
  const auto address = std::ranges::find(address_ids_, key.local_address, [](const auto& id) { return id.second; });
  if (address == address_ids_.end()) return std::nullopt;
  return OwnedFlow{.key = key, .local = address->first};
}

std::optional<FlowKey> Controller::KeyOf(const OwnedFlow& flow) const {
  const auto id = address_ids_.find(flow.local);
  if (id == address_ids_.end()) return std::nullopt;
  FlowKey key = flow.key;
  key.local_address = id->second;
  return key;
}

void Controller::Ask(MonoTime now, const QueryFlow& ask, Actions* out) {
  const std::optional<OwnedFlow> flow = FlowOf(ask.key);
  if (!flow || !transport_.enabled() || ask.whom == kSelfSlot) {
    out->push_back(LookUpFlow{.client = facts_.node_id, .number = ask.id, .key = ask.key});
    return;
  }
  const FlowQuerier::Question question{.id = ask.id, .whom = balancing_.balancer().NodeAt(ask.whom), .flow = *flow};
  flow_querier_.Ask(now, question, absl::Uniform<uint64_t>(random_));
}

// Any node answers from its own tables: whether they are those that count is for the client to know. An address that is
// not configured here has no flows.
void Controller::OnFlowQuery(const Incoming& incoming, Actions* out) const {
  const wire::FlowQuery& ask = incoming.message.flow_query();
  const std::vector<OwnedFlow> flows = ReadFlows(ask.flow());
  if (flows.size() != 1) return;
  const FlowKey key = KeyOf(flows[0]).value_or(flows[0].key);
  out->push_back(LookUpFlow{.client = incoming.node, .number = ask.nonce(), .key = key});
}

Actions Controller::OnFlowFound(MonoTime now, const LookUpFlow& question, const std::optional<FlowEntry>& found) {
  Actions said;
  if (!life_ || finished_) return said;
  if (question.client == facts_.node_id) {
    said.push_back(FlowAnswered{.id = question.number, .answered = true, .flow = found});
    return Conclude(now, std::move(said));
  }
  const Member* const client = members_.Find(question.client);
  if (client == nullptr) return said;
  wire::Message message;
  wire::FlowReply* const told = message.mutable_flow_reply();
  told->set_nonce(question.number);
  told->set_known(found.has_value());
  if (found) {
    told->set_owner(WriteId(balancing_.balancer().NodeAt(found->owner)));
    told->set_state(static_cast<uint32_t>(found->state));
    told->set_pinned(found->pinned);
  }
  transport_.SendTo(client->at, message, &said);
  return Conclude(now, std::move(said));
}

void Controller::OnFlowReply(const wire::FlowReply& told, Actions* out) {
  const std::optional<NodeId> owner = ReadId(told.owner());
  const std::optional<NodeSlot> slot = owner ? balancing_.SlotOf(*owner) : std::nullopt;
  const bool sound = slot && told.state() > static_cast<uint32_t>(FlowState::kFree) &&
                     told.state() < static_cast<uint32_t>(FlowState::kFragments);
  if (told.known() && !sound) return;
  const std::optional<FlowQuerier::Question> question = flow_querier_.Take(told.nonce());
  if (!question) return;
  FlowAnswered answer{.id = question->id, .answered = true, .flow = {}};
  if (told.known()) {
    answer.flow = FlowEntry{.key = question->flow.key,
                            .owner = *slot,
                            .state = static_cast<FlowState>(told.state()),
                            .pinned = told.pinned()};
  }
  out->push_back(answer);
}

}  // namespace qure
