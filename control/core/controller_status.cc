#include "control/core/controller_status.h"

#include "control/core/wire.h"

namespace qure {
namespace {

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

std::map<NodeId, uint32_t> WeightsOf(const Epoch& epoch, ServiceId service) {
  const auto found = epoch.weights.find(service);
  return found == epoch.weights.end() ? std::map<NodeId, uint32_t>{} : found->second;
}

bool ReportsUnhealthy(const Member& member, ServiceId service) {
  for (const wire::ServiceStatus& status : member.hello.services()) {
    if (status.service() == service && status.unhealthy()) return true;
  }
  return false;
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

NodeRow RowOf(MonoTime now, const Member& member, const std::optional<NodeId>& deputy) {
  const wire::Hello& hello = member.hello;
  NodeRow row{.node = member.node,
              .name = hello.name(),
              .role = RoleOf(member, deputy),
              .state = StateOf(member.state),
              .age = hello.age(),
              .era = hello.era(),
              .revision = hello.revision(),
              .address = member.at.address,
              .priority = hello.priority(),
              .weight = hello.weight(),
              .maintenance = hello.maintenance(),
              .draining = hello.draining(),
              .drain_left = {},
              .slot = {},
              .heard_ago = now - member.last_heard,
              .uptime = Milliseconds(static_cast<int64_t>(hello.node_uptime_ms()))};
  if (hello.has_drain_left_ms()) row.drain_left = Milliseconds(hello.drain_left_ms());
  return row;
}

std::vector<ServiceRow> RowsOf(const std::vector<ServiceConfig>& services, const NodeId& self,
                               const Balancing& balancing, const Membership& members) {
  std::vector<ServiceRow> rows;
  for (const ServiceConfig& service : services) {
    const ServiceId id = ServiceIdOf(service.name);
    ServiceRow row{.name = service.name,
                   .unhealthy = balancing.unhealthy().contains(service.name),
                   .unhealthy_at = {},
                   .weight = balancing.WeightOf(service),
                   .current = WeightsOf(balancing.balancer().current(), id),
                   .previous = WeightsOf(balancing.balancer().previous(), id)};
    if (row.unhealthy) row.unhealthy_at.insert(self);
    for (const auto& [node, member] : members.all()) {
      if (ReportsUnhealthy(member, id)) row.unhealthy_at.insert(node);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace qure
