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

void Controller::Ask(MonoTime now, const AskFlow& ask, Actions* out) {
  const std::optional<OwnedFlow> flow = FlowOf(ask.key);
  if (!flow || !transport_.enabled() || ask.whom == kSelfSlot) {
    out->push_back(LookUpFlow{.asker = facts_.node_id, .number = ask.id, .key = ask.key});
    return;
  }
  const FlowAsker::Question question{.id = ask.id, .whom = balancing_.balancer().NodeAt(ask.whom), .flow = *flow};
  flow_asker_.Ask(now, question, absl::Uniform<uint64_t>(random_));
}

// Any node answers from its own tables: whether they are those that count is for the asker to know. An address that is
// not configured here has no flows.
void Controller::OnFlowAsk(const Incoming& incoming, Actions* out) const {
  const wire::FlowAsk& ask = incoming.message.flow_ask();
  const std::vector<OwnedFlow> flows = ReadFlows(ask.flow());
  if (flows.size() != 1) return;
  const FlowKey key = KeyOf(flows[0]).value_or(flows[0].key);
  out->push_back(LookUpFlow{.asker = incoming.node, .number = ask.nonce(), .key = key});
}

Actions Controller::OnFlowFound(MonoTime now, const LookUpFlow& question, const std::optional<FlowEntry>& found) {
  Actions said;
  if (!life_ || finished_) return said;
  if (question.asker == facts_.node_id) {
    said.push_back(FlowAnswered{.id = question.number, .answered = true, .flow = found});
    return Conclude(now, std::move(said));
  }
  const Member* const asker = members_.Find(question.asker);
  if (asker == nullptr) return said;
  wire::Message message;
  wire::FlowTold* const told = message.mutable_flow_told();
  told->set_nonce(question.number);
  told->set_known(found.has_value());
  if (found) {
    told->set_owner(WriteId(balancing_.balancer().NodeAt(found->owner)));
    told->set_state(static_cast<uint32_t>(found->state));
    told->set_exception(found->exception);
  }
  transport_.SendTo(asker->at, message, &said);
  return Conclude(now, std::move(said));
}

void Controller::OnFlowTold(const wire::FlowTold& told, Actions* out) {
  const std::optional<NodeId> owner = ReadId(told.owner());
  const std::optional<NodeSlot> slot = owner ? balancing_.SlotOf(*owner) : std::nullopt;
  const bool sound = slot && told.state() > static_cast<uint32_t>(FlowState::kFree) &&
                     told.state() < static_cast<uint32_t>(FlowState::kFragments);
  if (told.known() && !sound) return;
  const std::optional<FlowAsker::Question> question = flow_asker_.Take(told.nonce());
  if (!question) return;
  FlowAnswered answer{.id = question->id, .answered = true, .flow = {}};
  if (told.known()) {
    answer.flow = FlowEntry{.key = question->flow.key,
                            .owner = *slot,
                            .state = static_cast<FlowState>(told.state()),
                            .exception = told.exception()};
  }
  out->push_back(answer);
}

}  // namespace qure
