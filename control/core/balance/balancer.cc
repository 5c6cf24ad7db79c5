#include "control/core/balance/balancer.h"

#include <algorithm>
#include <set>

#include "absl/random/distributions.h"
#include "control/core/balance/maglev.h"
#include "control/core/cluster/identity.h"
#include "control/core/timers.h"
#include "control/core/wire.h"
#include "proto/check.h"
#include "proto/mutation.h"

namespace qure {
namespace {

constexpr uint32_t kMaxWeight = 255;
constexpr uint32_t kMaxTableSize = 1U << 20;  // that another node may have us make

void WriteEpoch(const Epoch& epoch, const std::vector<NodeId>& nodes, wire::BalanceEpoch* out) {
  out->set_number(epoch.number);
  out->set_table_size(epoch.table_size);
  for (const RemoteAddress& heavy_hitter : epoch.heavy_hitters)
    out->add_heavy_hitters(std::string(heavy_hitter.begin(), heavy_hitter.end()));
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
  Epoch epoch{.number = message.number(), .table_size = message.table_size(), .heavy_hitters = {}, .weights = {}};
  if (epoch.table_size < kMaxNodes || epoch.table_size > kMaxTableSize || !IsPrime(epoch.table_size)) {
    return std::nullopt;
  }
  if (static_cast<size_t>(message.heavy_hitters_size()) > kMaxHeavyHitters) return std::nullopt;
  for (const std::string& bytes : message.heavy_hitters()) {
    RemoteAddress heavy_hitter;
    if (bytes.size() != heavy_hitter.size()) return std::nullopt;
    std::ranges::copy(bytes, heavy_hitter.begin());
    epoch.heavy_hitters.insert(heavy_hitter);
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

// Of a balance epoch that this node has decided itself: every service has nodes, each with weight.
void CheckWeights(const Epoch& epoch) {
  for (const auto& [service, weights] : epoch.weights) {
    QURE_CHECK(!weights.empty(), epoch.number, service);
    for (const auto& [node, weight] : weights) {
      QURE_CHECK(weight > 0 && weight <= kMaxWeight, epoch.number, service, weight);
    }
  }
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

// A service that is unhealthy on all nodes is spread over those that are there all the same: a check that
// fails everywhere is more likely wrong than the service is down everywhere.
Epoch Balancer::Wanted(const Demand& demand) {
  Epoch epoch{
      .number = 0, .table_size = demand.config->table_size, .heavy_hitters = demand.heavy_hitters, .weights = {}};
  for (const ServiceConfig& service : demand.config->services) {
    const ServiceId id = ServiceIdOf(service.name);
    Shares& weights = epoch.weights[id];
    for (const bool despite_check : {false, true}) {
      for (const Capacity& node : demand.present) {
        const auto unhealthy = node.unhealthy.find(id);
        const bool able = despite_check || unhealthy == node.unhealthy.end() || !unhealthy->second;
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

// Whether `to` is `from` without some of its nodes, all of which are gone or unhealthy: a drain can wait. Where no
// node is left, one that comes in does not wait either.
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
      const bool unhealthy = node.unhealthy.contains(service) && node.unhealthy.at(service);
      if (!unhealthy && before->second.contains(node.node) && !weights.contains(node.node)) return false;
    }
  }
  return true;
}

// Whether two balance epochs make the same shares.
bool Balancer::Same(const Epoch& a, const Epoch& b) {
  return a.weights == b.weights && a.heavy_hitters == b.heavy_hitters && a.table_size == b.table_size;
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
    wanted.heavy_hitters = current_.heavy_hitters;
    wanted.table_size = current_.table_size;
  } else if (!first) {
    // A change that can wait does: for the owners' reports, and for others that come at about the same time.
    const MonoTime earliest = decided_at_ + (current_settled_ ? kEpochLeast : kEpochSettled);
    if (now < earliest) {
      decide_at_ = demand.settled ? earliest : std::min(earliest, now + kEpochLook);
      return false;
    }
    current_in_force_ = true;  // a node that has not reported by now is not waited for
  }
  if (first) {
    for (uint8_t& byte : seed_) byte = absl::Uniform<uint8_t>(random);
  }
  wanted.number = std::max(current_.number, previous_.number) + 1;
  if (current_in_force_ || previous_.number == 0) previous_ = std::move(current_);
  current_ = std::move(wanted);
  CheckWeights(current_);
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

bool Balancer::HasShare(const NodeId& node) const {
  return std::ranges::any_of(current_.weights, [&](const auto& service) { return service.second.contains(node); });
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
  shared_current_ = std::make_shared<const Epoch>(current_);
  shared_previous_ = std::make_shared<const Epoch>(previous_);
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

std::shared_ptr<const LookupTable> Balancer::TableFor(const TableKey& key) {
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
  LookupTable table = BuildMaglev(seed_, nodes, key.first);
  if (table.empty()) return nullptr;  // none of the nodes has a number here
  QURE_CHECK(table.size() == key.first, table.size(), key.first);
  for (NodeSlot& entry : table) {
    QURE_CHECK(entry < slots.size(), entry, slots.size());
    entry = slots[entry];
  }
  return std::make_shared<const LookupTable>(std::move(table));
}

EpochTables Balancer::TablesOf(const Epoch& epoch, const std::vector<ServiceConfig>& services,
                               std::map<TableKey, std::shared_ptr<const LookupTable>>* in_use) {
  EpochTables shares{.heavy_hitters = {epoch.heavy_hitters.begin(), epoch.heavy_hitters.end()}, .services = {}};
  for (const ServiceConfig& service : services) {
    const auto weights = epoch.weights.find(ServiceIdOf(service.name));
    if (weights == epoch.weights.end() || weights->second.empty()) {
      shares.services.push_back(nullptr);
      continue;
    }
    const auto [entry, anew] = in_use->try_emplace({epoch.table_size, weights->second});
    if (anew) entry->second = TableFor(entry->first);
    shares.services.push_back(entry->second);
  }
  return shares;
}

// A node that gets flows all the same, as no other works, keeps them.
void Balancer::MarkUnhealthy(const std::vector<ServiceConfig>& services, const NodeId& node, NodeSlot slot,
                             const std::set<ServiceId>& unhealthy, Balance* balance) const {
  for (size_t i = 0; i < services.size() && !unhealthy.empty(); ++i) {
    const ServiceId id = ServiceIdOf(services[i].name);
    const auto shares = current_.weights.find(id);
    if (!unhealthy.contains(id) || (shares != current_.weights.end() && shares->second.contains(node))) continue;
    balance->unhealthy.resize(services.size());
    balance->unhealthy[i].set(slot);
  }
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
  if (std::ranges::any_of(config.services, adaptive)) balance->heavy_hitter = config.heavy_hitter;
  for (const auto& [node, at] : present) {
    const auto slot = SlotOf(node);
    if (!slot) continue;
    // A node that gets flows all the same, as there is no other, keeps them.
    const bool given_up = at.drained && !HasShare(node);
    balance->nodes[*slot] = {.present = true, .given_up = given_up, .hop0 = at.hop0, .hop1 = at.hop1};
    MarkUnhealthy(config.services, node, *slot, at.unhealthy, balance.get());
  }
  if (master && *master != self_) balance->master = SlotOf(*master).value_or(kSelfSlot);

  std::map<TableKey, std::shared_ptr<const LookupTable>> in_use;
  balance->current = TablesOf(current_, config.services, &in_use);
  balance->previous = TablesOf(previous_, config.services, &in_use);
  tables_ = std::move(in_use);
  balance->slots = slots_.size();
  return balance;
}

}  // namespace qure
