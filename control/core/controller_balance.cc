// The Controller's part in balancing: between what it knows and what Balancing asks.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "control/core/controller.h"
#include "control/core/timers.h"
#include "control/core/wire.h"

namespace qure {

BalanceView Controller::View(MonoTime now) {
  return {.now = now,
          .leads = election_.role() == Role::kMaster,
          .master = election_.master(),
          .deputy = election_.deputy(),
          .config = &config_,
          .members = &members_,
          .transport = &transport_};
}

uint8_t Controller::IdOf(const IpAddress& address) {
  const auto next = static_cast<uint8_t>(std::min<size_t>(address_ids_.size() + 1, UINT8_MAX));
  return address_ids_.try_emplace(address, next).first->second;
}

void Controller::NoteGateway(const Event& event) {
  if (std::ranges::find(config_.gateways, event.ip) == config_.gateways.end()) return;
  MacAddress& mac = gateway_macs_[event.ip];
  dirty_ |= mac != event.mac && services_->any_return_by_master;
  mac = event.mac;
}

Actions Controller::OnFlows(MonoTime now, const std::vector<FlowKey>& flows, uint8_t round) {
  Actions said;
  if (!life_ || finished_) return said;
  std::vector<OwnedFlow> owned;
  for (const FlowKey& key : flows) {
    if (const std::optional<OwnedFlow> flow = FlowOf(key)) owned.push_back(*flow);
  }
  balancing_.OnFlows(owned);
  balancing_.OnRoundDone(round);
  return Conclude(now, std::move(said));
}

Actions Controller::OnHealth(MonoTime now, std::set<std::string> unhealthy) {
  Actions said;
  if (!life_ || finished_ || unhealthy == balancing_.unhealthy()) return said;
  for (const ServiceConfig& service : config_.services) {
    const bool was = balancing_.unhealthy().contains(service.name);
    if (was == unhealthy.contains(service.name)) continue;
    said.push_back(Log{.level = was ? LogLevel::kInfo : LogLevel::kWarning,
                       .text = absl::StrCat("service \"", service.name, "\" ", was ? "works again" : "fails its check",
                                            " on this node")});
  }
  balancing_.SetUnhealthy(std::move(unhealthy));
  HelloBy(now);
  return Conclude(now, std::move(said));
}

void Controller::OnPinnedFlows(const Incoming& incoming, Actions* out) {
  const std::optional<NodeSlot> owner = balancing_.SlotOf(incoming.node);
  if (!owner) return;
  LearnFlows learn;
  for (const OwnedFlow& flow : ReadPinnedFlows(incoming.message.pinned_flows())) {
    if (const std::optional<FlowKey> key = KeyOf(flow)) learn.flows.push_back({.key = *key, .owner = *owner});
  }
  if (!learn.flows.empty()) out->push_back(std::move(learn));
}

// For this node, or told to the one that it is for.
absl::Status Controller::OnBalanceCommand(MonoTime now, const Command& command, Actions* out) {
  NodeId node{};
  wire::RemoteCommand remote;
  if (const auto* drain = std::get_if<SetDraining>(&command)) {
    node = drain->node;
    remote.set_drain(drain->on);
    if (drain->deadline) remote.set_drain_deadline_s(static_cast<uint32_t>(drain->deadline->ns / Seconds(1).ns));
  } else if (const auto* weight = std::get_if<SetWeight>(&command)) {
    node = weight->node;
    remote.set_service(weight->service);
    if (weight->weight) remote.set_weight(*weight->weight);
    if (std::ranges::find(config_.services, weight->service, &ServiceConfig::name) == config_.services.end()) {
      return absl::NotFoundError(absl::StrCat("no service \"", weight->service, "\"; `qurectl services` lists them"));
    }
  }
  if (node == facts_.node_id) {
    OnRemoteCommand(now, remote, out);
    return absl::OkStatus();
  }
  const Member* const member = members_.Find(node);
  if (member == nullptr || !member->present()) return absl::UnavailableError("that node is not there now");
  balancing_.Tell(now, node, remote);
  return absl::OkStatus();
}

void Controller::OnRemoteCommand(MonoTime now, const wire::RemoteCommand& command, Actions* out) {
  StoreChange change;
  if (command.has_drain()) OnRemoteDrain(now, command, &change);
  std::map<std::string, uint32_t> weights = stored_.weights;
  if (!command.service().empty()) {
    weights.erase(command.service());
    if (command.has_weight()) weights[command.service()] = std::min<uint32_t>(command.weight(), UINT8_MAX);
  }
  if (weights != stored_.weights) {
    stored_.weights = weights;
    balancing_.SetWeights(weights);
    change.weights = std::move(weights);
  }
  if (!change.drain && !change.weights) return;
  Store(std::move(change), out);
  HelloBy(now);
}

// An order that comes again sets the deadline again: it comes within some 150 ms.
void Controller::OnRemoteDrain(MonoTime now, const wire::RemoteCommand& command, StoreChange* change) {
  StoredDrain drain{.on = command.drain()};
  if (drain.on && !command.has_drain_deadline_s()) {
    drain.deadline = config_.drain_deadline;
  } else if (drain.on && command.drain_deadline_s() != 0) {
    drain.deadline = std::min(Seconds(command.drain_deadline_s()), kMostDrainDeadline);
  }
  if (drain == stored_.drain && !drain.deadline) return;
  balancing_.drain().Set(now, drain);
  if (drain != stored_.drain) change->drain = drain;
  stored_.drain = drain;
}

void Controller::TickDrain(MonoTime now, Actions* out) {
  if (!balancing_.drain().Tick(now)) return;
  stored_.drain = balancing_.drain().stored();
  Store({.drain = stored_.drain}, out);
  out->push_back(
      Log{.level = LogLevel::kWarning,
          .text = "the deadline of the drain has passed: the flows that are left on this node are given up"});
  HelloBy(now);
}

std::vector<ServiceRow> Controller::ServiceRows() const {
  std::vector<ServiceRow> rows;
  const auto weights = [](const Epoch& epoch, ServiceId id) {
    const auto found = epoch.weights.find(id);
    return found == epoch.weights.end() ? std::map<NodeId, uint32_t>{} : found->second;
  };
  const auto unhealthy_at = [this](const ServiceConfig& service) {
    std::set<NodeId> nodes;
    if (balancing_.unhealthy().contains(service.name)) nodes.insert(facts_.node_id);
    for (const auto& [node, member] : members_.all()) {
      for (const wire::ServiceStatus& word : member.hello.services()) {
        if (word.service() == ServiceIdOf(service.name) && word.unhealthy()) nodes.insert(node);
      }
    }
    return nodes;
  };
  for (const ServiceConfig& service : config_.services) {
    const ServiceId id = ServiceIdOf(service.name);
    rows.push_back({.name = service.name,
                    .unhealthy = balancing_.unhealthy().contains(service.name),
                    .unhealthy_at = unhealthy_at(service),
                    .weight = balancing_.WeightOf(service),
                    .current = weights(balancing_.balancer().current(), id),
                    .previous = weights(balancing_.balancer().previous(), id)});
  }
  return rows;
}

}  // namespace qure
