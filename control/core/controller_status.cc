#include "control/core/controller_status.h"

#include <algorithm>

#include "control/core/controller.h"
#include "control/core/wire.h"

namespace qure {
namespace {

NodeRole RoleOf(Role role) {
  switch (role) {
    case Role::kIdle:
      return NodeRole::kIdle;
    case Role::kMember:
      return NodeRole::kMember;
    case Role::kCandidate:
      return NodeRole::kCandidate;
    case Role::kMaster:
      return NodeRole::kMaster;
  }
  return NodeRole::kNone;
}

NodeState StateOf(MemberState state) {
  switch (state) {
    case MemberState::kAlive:
      return NodeState::kAlive;
    case MemberState::kSuspect:
      return NodeState::kSuspect;
    case MemberState::kDown:
      return NodeState::kDown;
    case MemberState::kLeft:
      return NodeState::kLeft;
  }
  return NodeState::kDown;
}

NodeRole RoleOf(const Member& member, const std::optional<NodeId>& deputy) {
  if (!member.present()) return NodeRole::kNone;
  if (member.hello.booting()) return NodeRole::kBooting;
  if (ReadId(member.hello.master()) == member.node) return NodeRole::kMaster;
  return deputy == member.node ? NodeRole::kDeputy : NodeRole::kMember;
}

// Shared with the epoch: a status is made 20 times a second.
std::shared_ptr<const Shares> SharesOf(const std::shared_ptr<const Epoch>& epoch, ServiceId service) {
  static const auto kNone = std::make_shared<const Shares>();
  const auto found = epoch->weights.find(service);
  return found == epoch->weights.end() ? kNone : std::shared_ptr<const Shares>(epoch, &found->second);
}

CheckState StateOf(const ServiceConfig& service, const ServiceHealth& health) {
  if (health.unchecked.contains(service.name)) return CheckState::kUnchecked;
  if (health.unreached.contains(service.name)) return CheckState::kUnreached;
  if (health.unhealthy.contains(service.name)) return CheckState::kFails;
  return service.check.kind == HealthCheck::Kind::kNone ? CheckState::kNone : CheckState::kPasses;
}

CheckState StateOf(const wire::ServiceStatus& unhealthy) {
  if (unhealthy.unchecked()) return CheckState::kUnchecked;
  return unhealthy.unreached() ? CheckState::kUnreached : CheckState::kFails;
}

// The rows of services by their ids.
using RowIndex = std::vector<std::pair<ServiceId, size_t>>;

RowIndex IndexOf(const std::vector<ServiceConfig>& services) {
  RowIndex index;
  for (size_t i = 0; i < services.size(); ++i) index.emplace_back(ServiceIdOf(services[i].name), i);
  std::ranges::sort(index);
  return index;
}

// One pass over what the member has reported, whatever the number of services.
void AddReports(const Member& member, const RowIndex& index, std::vector<ServiceRow>* rows) {
  for (const wire::ServiceStatus& status : member.hello.services()) {
    if (!status.unhealthy()) continue;
    const auto row = std::ranges::lower_bound(index, status.service(), {}, &RowIndex::value_type::first);
    if (row == index.end() || row->first != status.service()) continue;
    auto& unfit_at = (*rows)[row->second].unfit_at;
    if (!unfit_at.empty() && unfit_at.back().first == member.node) continue;  // it has reported it twice
    unfit_at.emplace_back(member.node, StateOf(status));
  }
}

}  // namespace

std::string_view NameOf(NodeRole role) {
  switch (role) {
    case NodeRole::kNone:
      return "";
    case NodeRole::kIdle:
      return "idle";
    case NodeRole::kStandby:
      return "standby";
    case NodeRole::kBooting:
      return "booting";
    case NodeRole::kCandidate:
      return "candidate";
    case NodeRole::kMember:
      return "member";
    case NodeRole::kDeputy:
      return "deputy";
    case NodeRole::kMaster:
      return "master";
  }
  return "";
}

std::string_view NameOf(NodeState state) {
  switch (state) {
    case NodeState::kSelf:
      return "self";
    case NodeState::kAlive:
      return "alive";
    case NodeState::kSuspect:
      return "suspect";
    case NodeState::kDeaf:
      return "deaf";
    case NodeState::kDown:
      return "down";
    case NodeState::kLeft:
      return "left";
  }
  return "";
}

std::string_view NameOf(CheckState state) {
  switch (state) {
    case CheckState::kNone:
      return "none";
    case CheckState::kUnchecked:
      return "unchecked";
    case CheckState::kPasses:
      return "healthy";
    case CheckState::kFails:
      return "unhealthy";
    case CheckState::kUnreached:
      return "unreached";
  }
  return "";
}

void LogHealth(const std::vector<ServiceConfig>& services, const ServiceHealth& before, const ServiceHealth& now,
               Actions* out) {
  for (const ServiceConfig& service : services) {
    const CheckState was = StateOf(service, before);
    const CheckState is = StateOf(service, now);
    if (is == was || is == CheckState::kUnchecked) continue;
    if (is == CheckState::kUnreached) {
      out->push_back(MakeLog(LogLevel::kWarning, "service \"", service.name,
                             "\" works on this node, but nothing answers what comes by the host port: let the firewall "
                             "accept port ",
                             service.first_port, " from there"));
      continue;
    }
    const bool failed = was == CheckState::kFails || was == CheckState::kUnreached;
    const bool fails = is == CheckState::kFails;
    const char* const what = fails ? "fails its check" : failed ? "works again" : "passes its check";
    out->push_back(MakeLog(fails ? LogLevel::kWarning : LogLevel::kInfo, "service \"", service.name, "\" ", what,
                           " on this node"));
  }
}

std::vector<IpAddress> NamedAddresses(const NodeId& node, const Ipv4Address& address, const Ipv6Address& address6) {
  std::vector<IpAddress> addresses;
  if (!address.is_zero() && address != LinkLocalFor(node)) addresses.emplace_back(address);
  if (!address6.is_zero()) addresses.emplace_back(address6);
  return addresses;
}

namespace {

Ipv6Address OwnAddress6(const wire::Hello& hello) {
  const std::optional<IpAddress> address = ReadAddress(hello.address6());
  return address && address->is_v6() ? address->v6() : Ipv6Address{};
}

}  // namespace

NodeRow RowOf(MonoTime now, const Member& member, const std::optional<NodeId>& deputy) {
  const wire::Hello& hello = member.hello;
  NodeRow row{.node = member.node,
              .name = hello.name(),
              .role = RoleOf(member, deputy),
              .state = StateOf(member.state),
              .age = hello.age(),
              .era = hello.era(),
              .revision = hello.revision(),
              .addresses = NamedAddresses(member.node, member.at.address, OwnAddress6(hello)),
              .priority = hello.priority(),
              .weight = hello.weight(),
              .maintenance = hello.maintenance(),
              .draining = hello.draining(),
              .config_running = hello.config_running(),
              .config_unable = hello.config_unable(),
              .config_differs = false,
              .drain_left = {},
              .slot = {},
              .heard_ago = now - member.last_heard,
              .uptime = Milliseconds(static_cast<int64_t>(hello.node_uptime_ms()))};
  if (hello.has_drain_left_ms()) row.drain_left = Milliseconds(hello.drain_left_ms());
  return row;
}

CheckState ServiceRow::CheckAt(const NodeId& node) const {
  const auto found = std::ranges::lower_bound(unfit_at, node, {}, &std::pair<NodeId, CheckState>::first);
  return found == unfit_at.end() || found->first != node ? CheckState::kPasses : found->second;
}

std::vector<ServiceRow> RowsOf(const std::vector<ServiceConfig>& services, const NodeId& self,
                               const Balancing& balancing, const Membership& members) {
  std::vector<ServiceRow> rows;
  rows.reserve(services.size());
  for (const ServiceConfig& service : services) {
    const ServiceId id = ServiceIdOf(service.name);
    rows.push_back({.name = service.name,
                    .check = StateOf(service, balancing.health()),
                    .unfit_at = {},
                    .weight = balancing.WeightOf(service),
                    .current = SharesOf(balancing.balancer().shared_current(), id),
                    .previous = SharesOf(balancing.balancer().shared_previous(), id)});
  }
  const RowIndex index = IndexOf(services);
  for (const auto& [node, member] : members.all()) AddReports(member, index, &rows);
  for (ServiceRow& row : rows) {
    if (IsHealthy(row.check)) continue;
    const auto place = std::ranges::lower_bound(row.unfit_at, self, {}, &std::pair<NodeId, CheckState>::first);
    row.unfit_at.emplace(place, self, row.check);
  }
  return rows;
}

ControllerStatus Controller::status(MonoTime now) const {
  ControllerStatus status;
  status.clustered = transport_.enabled();
  status.node_id = facts_.node_id;
  status.node_mac = Mac(0);
  status.snapshot_revision = snapshots_.revision();
  for (const Claim& claim : addresses_.claims()) status.claims.push_back(claim.status());
  status.role = status.clustered ? OwnRow(now).role : addresses_.AnyHeld() ? NodeRole::kMaster : NodeRole::kStandby;
  status.age = stored_.age;
  if (!life_) return status;
  if (leads() && status.clustered) status.phase = election_.phase();
  status.open = config_.network.security == Security::kOpen;
  status.maintenance = stored_.maintenance;
  status.ineligible = clone_.heard();
  status.link_up = machine_.link_up();
  status.clock_fit = machine_.clock_fit();
  status.clocks_differ = machine_.clocks_differ() && election_.role() == Role::kMember;
  status.address_conflicts = node_addresses_.conflicts();
  status.namesakes = namesakes_.Among(members_);
  status.without_gateway = election_.without_gateway();
  status.era = life_->era();
  status.lineage = life_->lineage();
  status.cluster_uptime_ms = life_->UptimeMs(now);
  status.term = election_.term();
  status.master = election_.master();
  status.deputy = election_.deputy();
  status.held = leads() ? addresses_.Held() : addresses_.held_by_master();
  status.nodes.push_back(OwnRow(now));
  for (const auto& [node, member] : members_.all()) {
    status.nodes.push_back(RowOf(now, member, election_.deputy()));
    status.nodes.back().slot = balancing_.balancer().KnownSlot(node);
    status.nodes.back().config_differs = config_watch_.Differs(node);
    if (!balancing_.Deaf(now, member)) continue;
    status.nodes.back().state = NodeState::kDeaf;
    status.nodes.back().role = NodeRole::kNone;  // what it says of itself is old
  }
  for (const StoredKey& key : stored_.keyring.keys) status.key_ids.push_back(key.id);
  status.key_in_use = stored_.keyring.use;
  status.roll = roll_.Status(members_);
  status.adoption = adoption_.Status();
  status.config = shared_config_.Status(now);
  status.multicast_works = !members_.MissesMulticast(now);
  status.takeovers = election_.takeovers();
  status.last_takeover = election_.last_takeover();
  status.rejected = transport_.rejected();
  status.strangers = transport_.strangers().Shown(now);
  status.oversized = transport_.oversized();
  status.persist_failures = ledger_.failures();
  status.history_events = history().event_count();
  const Epoch& epoch = balancing_.balancer().current();
  status.balance_epoch = epoch.number;
  status.balance_settled = balancing_.settled();
  status.services = RowsOf(config_.services, facts_.node_id, balancing_, members_);
  for (const RemoteAddress& remote : epoch.heavy_hitters) status.heavy_hitters.push_back(AddressOf(remote));
  return status;
}

NodeRow Controller::OwnRow(MonoTime now) const {
  const bool deputy = election_.role() == Role::kMember && election_.deputy() == facts_.node_id;
  return {.node = facts_.node_id,
          .name = facts_.name,
          .role = deputy ? NodeRole::kDeputy : RoleOf(election_.role()),
          .state = NodeState::kSelf,
          .age = stored_.age,
          .era = life_ ? life_->era() : 0,
          .revision = facts_.revision,
          .addresses = NamedAddresses(facts_.node_id, facts_.address, facts_.address6),
          .priority = facts_.priority,
          .weight = facts_.weight,
          .maintenance = stored_.maintenance,
          .draining = balancing_.drain().on(),
          .config_running = shared_config_.said().value_or(clusterconfig::Version{}).check,
          .config_unable = !shared_config_.able(),
          .config_differs = false,
          .drain_left = balancing_.drain().Left(now),
          .slot = kSelfSlot,
          .heard_ago = {},
          .uptime = clock_.Uptime(now)};
}

}  // namespace qure
