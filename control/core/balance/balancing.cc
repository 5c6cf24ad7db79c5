#include "control/core/balance/balancing.h"

#include <algorithm>
#include <utility>

#include "control/core/cluster/identity.h"
#include "control/core/timers.h"
#include "control/core/wire.h"
#include "proto/mutation.h"

namespace qure {
namespace {

bool IsMulticast(const ClusterConfig& config) {
  const auto multicast = [](const ServiceConfig& service) { return service.delivery == ServiceDelivery::kMulticast; };
  return std::ranges::any_of(config.services, multicast);
}

// The same for the same nodes, on every node.
uint64_t HashOf(std::set<NodeId> nodes, const NodeId& self) {
  nodes.insert(self);
  std::string bytes;
  for (const NodeId& node : nodes) bytes.append(node.begin(), node.end());
  return Fingerprint(bytes);
}

}  // namespace

Balancing::Balancing(const NodeId& self, std::string name, uint32_t weight, absl::BitGenRef random)
    : self_(self), name_(std::move(name)), weight_(weight), random_(random), balancer_(self) {}

void Balancing::SetWeights(std::map<std::string, uint32_t> weights) {
  weights_ = std::move(weights);
}

void Balancing::SetHealth(ServiceHealth health) {
  health_ = std::move(health);
}

// As the operator set it, or as the configuration has it for this node, or as this node's own.
uint32_t Balancing::WeightOf(const ServiceConfig& service) const {
  if (const auto said = weights_.find(service.name); said != weights_.end()) return said->second;
  if (const auto configured = service.weights.find(name_); configured != service.weights.end()) {
    return configured->second;
  }
  return weight_;
}

Capacity Balancing::OwnCapacity(const ClusterConfig& config) const {
  Capacity capacity{.node = self_, .draining = drain_.on(), .weight = weight_, .services = {}, .unhealthy = {}};
  for (const ServiceConfig& service : config.services) {
    const ServiceId id = ServiceIdOf(service.name);
    capacity.services[id] = WeightOf(service);
    capacity.unhealthy[id] = health_.unhealthy.contains(service.name);
  }
  return capacity;
}

void Balancing::FillHello(MonoTime now, const ClusterConfig& config, wire::Hello* hello) const {
  hello->set_balance_digest(balancer_.digest());
  hello->set_balance_ready(ready_);
  const bool heard = round_digest_ == balancer_.digest() && stage() > 0;
  if (heard) {
    hello->set_balance_settled(balancer_.digest());
    hello->set_balance_told(HashOf(targets_, self_));
    if (multicast_) hello->set_balance_stage(stage());
  }
  hello->set_draining(drain_.on());
  if (const auto left = drain_.Left(now)) {
    hello->set_drain_left_ms(static_cast<uint32_t>((left->ns + Milliseconds(1).ns - 1) / Milliseconds(1).ns));
  }
  for (const ServiceConfig& service : config.services) {
    const uint32_t weight = WeightOf(service);
    const bool unhealthy = health_.unhealthy.contains(service.name);
    if (weight == weight_ && !unhealthy) continue;
    wire::ServiceStatus* const status = hello->add_services();
    status->set_service(ServiceIdOf(service.name));
    status->set_weight(weight);
    status->set_unhealthy(unhealthy);
    status->set_unchecked(health_.unchecked.contains(service.name));
    status->set_unreached(health_.unreached.contains(service.name));
  }
}

bool Balancing::OnMessage(const BalanceView& view, const Incoming& incoming, Actions* out) {
  const wire::Message& message = incoming.message;
  switch (message.body_case()) {
    case wire::Message::kBalancePart:
      OnPart(view, incoming);
      return true;
    case wire::Message::kBalancePull:
      if (message.balance_pull().digest() == balancer_.digest()) Push(view, incoming.from, out);
      return true;
    case wire::Message::kPinnedFlows: {
      wire::Message taken;
      taken.mutable_pinned_flows_ack()->set_seq(message.pinned_flows().seq());
      view.transport->SendTo(incoming.from, taken, out);
      return false;  // the Controller takes the flows: it knows the addresses
    }
    case wire::Message::kPinnedFlowsAck:
      reporter_.OnTaken(incoming.node, message.pinned_flows_ack().seq());
      return true;
    default:
      return false;
  }
}

// Followers use exactly the balance epochs of the master that they follow.
void Balancing::OnHello(const BalanceView& view, const Member& member, Actions* out) {
  hearing_.OnHello(view.now, member);
  const uint64_t digest = member.hello.balance_digest();
  const bool of_master = !view.leads && view.master == member.node;
  if (!of_master || digest == 0 || digest == balancer_.digest() || view.now < next_pull_) return;
  next_pull_ = view.now + kBalancePull;
  wire::Message pull;
  pull.mutable_balance_pull()->set_digest(digest);
  view.transport->SendTo(member.at, pull, out);
}

void Balancing::Push(const BalanceView& view, const std::optional<PeerAddress>& to, Actions* out) const {
  const std::string bytes = balancer_.ToWire().SerializeAsString();
  const auto total = static_cast<uint32_t>((bytes.size() + kBalancePart - 1) / kBalancePart);
  for (uint32_t i = 0; i < total; ++i) {
    wire::Message message;
    wire::BalancePart* const part = message.mutable_balance_part();
    part->set_digest(balancer_.digest());
    part->set_index(i);
    part->set_total(total);
    part->set_part(bytes.substr(i * kBalancePart, kBalancePart));
    if (to) {
      view.transport->SendTo(*to, message, out);
    } else {
      view.transport->SendToAll(message, out);
    }
  }
}

void Balancing::OnPart(const BalanceView& view, const Incoming& incoming) {
  const wire::BalancePart& part = incoming.message.balance_part();
  if (view.leads || view.master != incoming.node || part.digest() == balancer_.digest()) return;
  if (part.total() == 0 || part.total() > kMaxBalanceParts || part.index() >= part.total()) return;
  if (parts_.digest != part.digest() || parts_.total != part.total()) {
    parts_ = {.digest = part.digest(), .parts = {}, .total = part.total()};
  }
  parts_.parts[part.index()] = part.part();
  if (parts_.parts.size() < parts_.total) return;
  std::string bytes;
  for (const auto& [index, piece] : parts_.parts) bytes += piece;
  parts_ = {};
  wire::BalanceState state;
  if (state.ParseFromString(bytes) && balancer_.Follow(view.now, state)) changed_ = true;
}

void Balancing::OnFlows(const std::vector<OwnedFlow>& flows) {
  if (!Mutated(Mutation::kReportNoPinnedFlows)) reporter_.Report(flows);
}

void Balancing::OnRoundDone(uint8_t round) {
  round_done_ = round;
}

void Balancing::OnHeavyHitter(MonoTime now, const RemoteAddress& remote, bool many) {
  if (led_) heavy_hitters_.OnSighting(now, remote, many);
}

bool Balancing::RoundEnded() const {
  return round_done_ == round_ && round_digest_ == balancer_.digest() && reporter_.done();
}

bool Balancing::TakesPart(const BalanceView& view, const Member& member) const {
  return member.present() && !member.hello.booting() && !hearing_.Deaf(view.now, member);
}

// Whether all nodes have ended so many rounds of reports under the current balance epoch. One is enough where the
// master alone distributes new flows.
bool Balancing::AllAt(const BalanceView& view, uint32_t stage) const {
  if (round_digest_ != balancer_.digest() || this->stage() < stage) return false;
  return std::ranges::all_of(view.members->all(), [&](const auto& entry) {
    const Member& member = entry.second;
    if (!TakesPart(view, member)) return true;
    return member.hello.balance_settled() == balancer_.digest() &&
           (stage == 1 || member.hello.balance_stage() >= stage);
  });
}

// Whether all others have reported their pinned flows to these nodes, this one among them. A node without a share,
// since it drains, has the most of them.
bool Balancing::AllHaveReported(const BalanceView& view, const std::set<NodeId>& whom) const {
  const uint64_t among = HashOf(whom, self_);
  return std::ranges::all_of(present_, [&](const NodeId& node) {
    const Member* const member = view.members->Find(node);
    if (member == nullptr) return true;
    const uint64_t expected = whom.contains(node) ? among : HashOf(whom, node);
    return member->hello.balance_settled() == balancer_.digest() && member->hello.balance_told() == expected;
  });
}

std::optional<NodeId> Balancing::InformedDeputy(const BalanceView& view) const {
  if (!view.leads || !view.deputy) return std::nullopt;
  std::set<NodeId> whom = targets_;
  whom.insert(self_);
  const bool informed = targets_.contains(*view.deputy) && AllAt(view, 1) && AllHaveReported(view, whom);
  return informed ? view.deputy : std::nullopt;
}

std::set<NodeId> Balancing::Targets(const BalanceView& view) const {
  if (multicast_ && !Mutated(Mutation::kTellMasterOnly)) return present_;
  std::set<NodeId> targets;
  for (const auto& node : {view.master, view.deputy}) {
    if (node && *node != self_) targets.insert(*node);
  }
  return targets;
}

std::set<NodeId> Balancing::Present(const BalanceView& view) const {
  std::set<NodeId> present;
  for (const auto& [node, member] : view.members->all()) {
    if (TakesPart(view, member)) present.insert(node);
  }
  return present;
}

std::set<NodeId> Balancing::Drained(const BalanceView& view, const std::set<NodeId>& present) const {
  std::set<NodeId> drained;
  if (drain_.over()) drained.insert(self_);
  for (const NodeId& node : present) {
    const wire::Hello& hello = view.members->Find(node)->hello;
    if (hello.draining() && hello.has_drain_left_ms() && hello.drain_left_ms() == 0) drained.insert(node);
  }
  return drained;
}

std::map<NodeId, std::set<ServiceId>> Balancing::UnhealthyAt(const BalanceView& view,
                                                             const std::set<NodeId>& present) const {
  std::map<NodeId, std::set<ServiceId>> unhealthy;
  for (const std::string& service : health_.unhealthy) unhealthy[self_].insert(ServiceIdOf(service));
  for (const NodeId& node : present) {
    for (const wire::ServiceStatus& status : view.members->Find(node)->hello.services()) {
      if (status.unhealthy()) unhealthy[node].insert(status.service());
    }
  }
  return unhealthy;
}

Demand Balancing::DemandOf(const BalanceView& view, const std::set<NodeId>& present) {
  Demand demand{.config = view.config,
                .present = {OwnCapacity(*view.config)},
                .heavy_hitters = heavy_hitters_.At(view.now),
                .in_force = AllAt(view, 1),
                .settled = AllAt(view, stages())};
  demand.present.front().draining = demand.present.front().draining || !view.able;
  for (const NodeId& node : present) {
    const Member& member = *view.members->Find(node);
    const wire::Hello& hello = member.hello;
    // A node that has shares must know what was before, or it resets the connections that others serve. One that gets
    // its first was perhaps away while others decided: what it is ready for may be long past.
    const bool current = balancer_.HasShare(node) || hello.balance_digest() == balancer_.digest();
    if ((!hello.balance_ready() || !current) && !Mutated(Mutation::kShareUnready)) continue;
    Capacity capacity{.node = node,
                      .draining = hello.draining() || hello.config_unable(),
                      .weight = hello.weight(),
                      .services = {},
                      .unhealthy = {}};
    for (const wire::ServiceStatus& status : hello.services()) {
      capacity.services[status.service()] = status.weight();
      capacity.unhealthy[status.service()] = status.unhealthy();
    }
    demand.present.push_back(std::move(capacity));
  }
  return demand;
}

// Whether this node hears all that have shares, and where it decides about flows itself, knows whose they are.
bool Balancing::KnowsAll(const BalanceView& view) const {
  const auto heard = [&](const NodeId& node) { return node == self_ || present_.contains(node); };
  std::set<NodeId> all = present_;
  all.insert(self_);
  return std::ranges::all_of(balancer_.Sharers(), heard) && (!multicast_ || AllHaveReported(view, all));
}

// A node that hears nobody misses what the others decide, and when it hears again it knows neither that nor who is
// there: it is as a node that has just started.
void Balancing::NoteReadiness(const BalanceView& view) {
  const bool before = ready_;
  const Member* const master = view.master ? view.members->Find(*view.master) : nullptr;
  const bool follows = master != nullptr && master->hello.balance_digest() == balancer_.digest();
  if (view.serves) {
    ready_ = true;
  } else if (present_.empty() && !Mutated(Mutation::kReadyForEver)) {
    ready_ = false;
  } else if (!ready_ && follows && balancer_.current().number != 0) {
    if (ready_by_ == kNever) ready_by_ = view.now + kReadyPatience;
    ready_ = view.now >= ready_by_ || KnowsAll(view);
  }
  if (ready_ || present_.empty()) ready_by_ = kNever;
  changed_ |= ready_ != before;
}

// Begins another round of reports when one is due.
void Balancing::NextRound(const BalanceView& view) {
  const uint64_t digest = balancer_.digest();
  std::set<NodeId> targets = Targets(view);
  const bool anew = targets != targets_ || round_digest_ != digest || round_stage_ > stages();
  const bool next_stage = RoundEnded() && round_stage_ < stages() && AllAt(view, round_stage_);
  if (multicast_ && steady_ != digest && AllAt(view, 1)) {
    steady_ = digest;
    changed_ = true;
  }
  if (!anew && !next_stage && view.now < next_round_) return;
  if (anew) round_stage_ = 1;
  if (next_stage && !anew) ++round_stage_;
  targets_ = std::move(targets);
  reporter_.SetTargets({targets_.begin(), targets_.end()});
  round_digest_ = digest;
  round_ = round_ == UINT8_MAX ? 1 : static_cast<uint8_t>(round_ + 1);
  next_round_ = view.now + kReportAgain;
  changed_ = true;
}

bool Balancing::Step(const BalanceView& view, Actions* out) {
  informed_ = view.deputy;
  hearing_.SetMaster(view.now, view.master);
  SendCommands(view, out);
  if (view.config->services.empty()) return std::exchange(changed_, false);
  multicast_ = IsMulticast(*view.config);
  std::set<NodeId> present = Present(view);
  if (view.leads) {
    if (!led_) heavy_hitters_.Adopt(view.now, balancer_.current().heavy_hitters);
    if (balancer_.Decide(view.now, DemandOf(view, present), random_)) {
      changed_ = true;
      Push(view, std::nullopt, out);
    }
  }
  led_ = view.leads;
  std::set<NodeId> drained = Drained(view, present);
  std::map<NodeId, std::set<ServiceId>> unhealthy_at = UnhealthyAt(view, present);
  const bool same = present == present_ && drained == drained_ && unhealthy_at == unhealthy_at_;
  if (!same || view.master != master_) changed_ = true;
  unhealthy_at_ = std::move(unhealthy_at);
  present_ = std::move(present);
  drained_ = std::move(drained);
  master_ = view.master;
  NoteReadiness(view);
  NextRound(view);
  informed_ = InformedDeputy(view);
  reporter_.Tick(view.now, *view.members, view.transport, out);
  return std::exchange(changed_, false);
}

// A node that is not known any more gets none.
void Balancing::SendCommands(const BalanceView& view, Actions* out) {
  for (SentCommand& command : commands_) {
    const Member* const member = view.members->Find(command.node);
    if (member == nullptr) command.left = 0;
    if (member == nullptr || view.now < command.next) continue;
    wire::Message message;
    *message.mutable_remote_command() = command.command;
    view.transport->SendTo(member->at, message, out);
    command.next = view.now + kPinnedFlowResend;
    --command.left;
  }
  std::erase_if(commands_, [](const SentCommand& command) { return command.left <= 0; });
}

MonoTime Balancing::deadline() const {
  MonoTime next = std::min({balancer_.deadline(), reporter_.deadline(), next_round_, drain_.deadline()});
  if (!ready_) next = std::min(next, ready_by_);
  if (led_) next = std::min(next, heavy_hitters_.deadline());
  for (const SentCommand& command : commands_) next = std::min(next, command.next);
  return next;
}

std::shared_ptr<const Balance> Balancing::Compile(const BalanceView& view, const MacAddress& hop0,
                                                  const MacAddress& hop1) {
  if (view.config->services.empty()) return nullptr;
  const auto unhealthy = [this](const NodeId& node) {
    const auto found = unhealthy_at_.find(node);
    return found == unhealthy_at_.end() ? std::set<ServiceId>{} : found->second;
  };
  std::map<NodeId, NodeAtHand> at_hand = {
      {self_, {.hop0 = hop0, .hop1 = hop1, .drained = drained_.contains(self_), .unhealthy = unhealthy(self_)}}};
  for (const NodeId& node : present_) {
    const Member* const member = view.members->Find(node);
    if (member == nullptr) continue;
    // A node that has but its interface's MAC gets everything there, and keeps it.
    const bool own_macs = member->at.mac == NodeMac(node, 0);
    at_hand[node] = {.hop0 = member->at.mac,
                     .hop1 = own_macs ? NodeMac(node, 1) : member->at.mac,
                     .drained = drained_.contains(node),
                     .unhealthy = unhealthy(node)};
  }
  const bool settled = steady_ == balancer_.digest() || Mutated(Mutation::kTakeNewFlowsEarly);
  return balancer_.Compile(*view.config, at_hand, view.master,
                           {.report_round = round_, .ready = ready_, .settled = settled});
}

void Balancing::SendCommand(MonoTime now, const NodeId& node, const wire::RemoteCommand& command) {
  constexpr int kTimes = 4;
  commands_.push_back({.node = node, .command = command, .left = kTimes, .next = now});
}

}  // namespace qure
