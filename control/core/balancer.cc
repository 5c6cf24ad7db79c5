#include "control/core/balancer.h"

#include <algorithm>
#include <set>

#include "absl/random/distributions.h"
#include "control/core/identity.h"
#include "control/core/maglev.h"
#include "control/core/timers.h"
#include "control/core/wire.h"
#include "proto/mutation.h"

namespace qure {
namespace {

constexpr uint32_t kMaxWeight = 255;
constexpr uint32_t kMostRows = 1U << 20;  // that another node may have us make

void WriteEpoch(const Epoch& epoch, const std::vector<NodeId>& nodes, wire::BalanceEpoch* out) {
  out->set_number(epoch.number);
  out->set_rows(epoch.rows);
  for (const RemoteAddress& crowd : epoch.crowds) out->add_crowds(std::string(crowd.begin(), crowd.end()));
  for (const auto& [service, weights] : epoch.weights) {
    wire::ServiceShares* const shares = out->add_services();
    shares->set_service(service);
    std::string bytes;
    for (const NodeId& node : nodes) {
      const auto weight = weights.find(node);
      bytes.push_back(static_cast<char>(weight == weights.end() ? 0 : weight->second));
    }
    shares->set_weights(bytes);
  }
}

std::optional<Epoch> ReadEpoch(const wire::BalanceEpoch& message, const std::vector<NodeId>& nodes) {
  Epoch epoch{.number = message.number(), .rows = message.rows(), .crowds = {}, .weights = {}};
  if (epoch.rows < kMaxNodes || epoch.rows > kMostRows) return std::nullopt;
  if (static_cast<size_t>(message.crowds_size()) > kMaxCrowds) return std::nullopt;
  for (const std::string& bytes : message.crowds()) {
    RemoteAddress crowd;
    if (bytes.size() != crowd.size()) return std::nullopt;
    std::ranges::copy(bytes, crowd.begin());
    epoch.crowds.insert(crowd);
  }
  for (const wire::ServiceShares& shares : message.services()) {
    if (shares.weights().size() != nodes.size()) return std::nullopt;
    auto& weights = epoch.weights[shares.service()];
    for (size_t i = 0; i < nodes.size(); ++i) {
      const auto weight = static_cast<uint8_t>(shares.weights()[i]);
      if (weight != 0) weights[nodes[i]] = weight;
    }
  }
  return epoch;
}

}  // namespace

ServiceId ServiceIdOf(const std::string& name) {
  return static_cast<ServiceId>(Fingerprint(name));
}

uint32_t Capacity::WeightOf(ServiceId service) const {
  const auto own = services.find(service);
  return std::min(own == services.end() ? weight : own->second, kMaxWeight);
}

Balancer::Balancer(const NodeId& self) : self_(self), slots_{self} {}

// A service that no node can take, by its own word, is spread over those that are there all the same: a check that
// fails everywhere is more likely wrong than the service is down everywhere.
Epoch Balancer::Wanted(const Demand& demand) {
  Epoch epoch{.number = 0, .rows = demand.config->share_rows, .crowds = demand.crowds, .weights = {}};
  for (const ServiceConfig& service : demand.config->services) {
    const ServiceId id = ServiceIdOf(service.name);
    Weights& weights = epoch.weights[id];
    for (const bool despite_illness : {false, true}) {
      for (const Capacity& node : demand.present) {
        const auto ill = node.ill.find(id);
        const bool able = despite_illness || ill == node.ill.end() || !ill->second;
        if (able && !node.draining && node.WeightOf(id) > 0) weights[node.node] = node.WeightOf(id);
      }
      if (!weights.empty()) break;
    }
    if (weights.empty()) {
      for (const Capacity& node : demand.present) weights[node.node] = 1;
    }
  }
  return epoch;
}

// Whether `to` is `from` without some of its nodes, all of which are gone or ill: who drains can wait. Where nobody is
// left, whoever comes in is not waited for either.
bool Balancer::OnlyLosses(const Demand& demand, const Epoch& from, const Epoch& to) {
  for (const auto& [service, weights] : to.weights) {
    const auto before = from.weights.find(service);
    if (before == from.weights.end()) return false;
    const auto is_there = [&](const auto& sharer) {
      return std::ranges::any_of(demand.present, [&](const Capacity& node) { return node.node == sharer.first; });
    };
    if (std::ranges::none_of(before->second, is_there)) continue;
    for (const auto& [node, weight] : weights) {
      const auto was = before->second.find(node);
      if (was == before->second.end() || was->second != weight) return false;
    }
    for (const Capacity& node : demand.present) {
      const bool ill = node.ill.contains(service) && node.ill.at(service);
      if (!ill && before->second.contains(node.node) && !weights.contains(node.node)) return false;
    }
  }
  return true;
}

// Whether two epochs make the same shares.
bool Balancer::Same(const Epoch& a, const Epoch& b) {
  return a.weights == b.weights && a.crowds == b.crowds && a.rows == b.rows;
}

bool Balancer::Decide(MonoTime now, const Demand& demand, absl::BitGenRef random) {
  decide_at_ = kNever;
  Epoch wanted = Wanted(demand);
  current_in_force_ |= demand.in_force;
  current_settled_ |= demand.settled;
  if (Same(wanted, current_)) return false;
  const bool first = current_.number == 0;
  if (Mutated(Mutation::kChangeDoesNotWait)) current_in_force_ = current_settled_ = true;
  if (!first && wanted.weights != current_.weights && OnlyLosses(demand, current_, wanted)) {
    // What else has changed can wait, and is not to make the losses wait.
    wanted.crowds = current_.crowds;
    wanted.rows = current_.rows;
  } else if (!first) {
    // A change that can wait does: for the owners' reports, and for others that come at about the same time.
    const MonoTime earliest = decided_at_ + (current_settled_ ? kEpochLeast : kEpochSettled);
    if (now < earliest) {
      decide_at_ = demand.settled ? earliest : std::min(earliest, now + kEpochLook);
      return false;
    }
    current_in_force_ = true;  // whoever has not reported by now is not waited for
  }
  if (first) {
    for (uint8_t& byte : seed_) byte = absl::Uniform<uint8_t>(random);
  }
  wanted.number = std::max(current_.number, previous_.number) + 1;
  if (current_in_force_ || previous_.number == 0) previous_ = std::move(current_);
  current_ = std::move(wanted);
  current_in_force_ = current_settled_ = false;
  decided_at_ = now;
  Changed();
  return true;
}

std::set<NodeId> Balancer::Sharers() const {
  std::set<NodeId> nodes;
  for (const Epoch* epoch : {&current_, &previous_}) {
    for (const auto& [service, weights] : epoch->weights) {
      for (const auto& [node, weight] : weights) nodes.insert(node);
    }
  }
  return nodes;
}

wire::BalanceState Balancer::ToWire() const {
  const std::set<NodeId> nodes = Sharers();
  const std::vector<NodeId> order(nodes.begin(), nodes.end());
  wire::BalanceState state;
  state.set_seed(std::string(seed_.begin(), seed_.end()));
  for (const NodeId& node : order) state.add_nodes(WriteId(node));
  WriteEpoch(current_, order, state.mutable_current());
  WriteEpoch(previous_, order, state.mutable_previous());
  return state;
}

bool Balancer::Follow(MonoTime now, const wire::BalanceState& state) {
  std::vector<NodeId> nodes;
  for (const std::string& bytes : state.nodes()) {
    const std::optional<NodeId> node = ReadId(bytes);
    if (!node) return false;
    nodes.push_back(*node);
  }
  const std::optional<Epoch> current = ReadEpoch(state.current(), nodes);
  const std::optional<Epoch> previous = ReadEpoch(state.previous(), nodes);
  if (nodes.size() > kMaxNodes || !current || !previous || state.seed().size() != seed_.size()) return false;
  BalanceSeed seed;
  std::ranges::copy(state.seed(), seed.begin());
  if (seed != seed_) tables_.clear();
  seed_ = seed;
  current_ = *current;
  previous_ = *previous;
  current_in_force_ = current_settled_ = false;
  decided_at_ = now;
  Changed();
  return true;
}

// Equal states have equal bytes: their maps are ordered, and so the fields are.
void Balancer::Changed() {
  digest_ = Fingerprint(ToWire().SerializeAsString());
}

std::optional<NodeSlot> Balancer::KnownSlot(const NodeId& node) const {
  const auto found = std::ranges::find(slots_, node);
  if (found == slots_.end()) return std::nullopt;
  return static_cast<NodeSlot>(found - slots_.begin());
}

std::optional<NodeSlot> Balancer::SlotOf(const NodeId& node) {
  if (const auto known = KnownSlot(node)) return known;
  if (slots_.size() == kMaxNodes) return std::nullopt;
  slots_.push_back(node);
  return static_cast<NodeSlot>(slots_.size() - 1);
}

std::shared_ptr<const ShareTable> Balancer::TableFor(const TableKey& key) {
  const auto made = tables_.find(key);
  if (made != tables_.end()) return made->second;
  std::vector<WeightedNode> nodes;
  std::vector<NodeSlot> slots;
  for (const auto& [node, weight] : key.second) {
    const std::optional<NodeSlot> slot = SlotOf(node);
    if (!slot) continue;
    nodes.push_back({.node = node, .weight = weight});
    slots.push_back(*slot);
  }
  ShareTable table = BuildMaglev(seed_, nodes, key.first);
  for (NodeSlot& row : table) row = slots[row];
  return std::make_shared<const ShareTable>(std::move(table));
}

EpochShares Balancer::SharesOf(const Epoch& epoch, const std::vector<ServiceConfig>& services,
                               std::map<TableKey, std::shared_ptr<const ShareTable>>* in_use) {
  EpochShares shares{.crowds = {epoch.crowds.begin(), epoch.crowds.end()}, .services = {}};
  for (const ServiceConfig& service : services) {
    const auto weights = epoch.weights.find(ServiceIdOf(service.name));
    if (weights == epoch.weights.end() || weights->second.empty()) {
      shares.services.push_back(nullptr);
      continue;
    }
    const auto [entry, anew] = in_use->try_emplace({epoch.rows, weights->second});
    if (anew) entry->second = TableFor(entry->first);
    shares.services.push_back(entry->second);
  }
  return shares;
}

std::shared_ptr<const Balance> Balancer::Compile(const ClusterConfig& config,
                                                 const std::map<NodeId, NodeAtHand>& present,
                                                 const std::optional<NodeId>& master, const Progress& progress) {
  auto balance = std::make_shared<Balance>();
  balance->epoch = current_.number;
  balance->seed = seed_;
  balance->report_round = progress.report_round;
  balance->ready = progress.ready;
  balance->settled = progress.settled;
  const auto adaptive = [](const ServiceConfig& service) { return service.affinity == Affinity::kAdaptive; };
  if (std::ranges::any_of(config.services, adaptive)) balance->crowd = config.crowd;
  for (const auto& [node, at] : present) {
    const auto slot = SlotOf(node);
    if (!slot) continue;
    // Whoever gets flows all the same, as there is nobody else, keeps them.
    const auto has_share = [&id = node](const auto& service) { return service.second.contains(id); };
    const bool given_up = at.drained && std::ranges::none_of(current_.weights, has_share);
    balance->nodes[*slot] = {.present = true, .given_up = given_up, .hop0 = at.hop0, .hop1 = at.hop1};
  }
  if (master && *master != self_) balance->master = SlotOf(*master).value_or(kSelfSlot);

  std::map<TableKey, std::shared_ptr<const ShareTable>> in_use;
  balance->current = SharesOf(current_, config.services, &in_use);
  balance->previous = SharesOf(previous_, config.services, &in_use);
  tables_ = std::move(in_use);
  balance->slots = slots_.size();
  return balance;
}

}  // namespace qure
