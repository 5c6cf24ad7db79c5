#include "control/operator/cluster_metrics.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "control/operator/verdict.h"

namespace qure {
namespace {

using prometheus::MetricType;

constexpr std::array kRoles = {NodeRole::kMaster,    NodeRole::kDeputy, NodeRole::kMember,
                               NodeRole::kCandidate, NodeRole::kIdle,   NodeRole::kStandby};

double OneIf(bool condition) {
  return condition ? 1.0 : 0.0;
}

void CollectMembers(const ControllerStatus& core, Families* out) {
  out->Begin(MetricType::Gauge, "qure_role", "1 for the role of this node.");
  for (const NodeRole role : kRoles) out->Add({{"role", std::string(NameOf(role))}}, OneIf(core.role == role));
  std::map<std::string, uint64_t> members;
  for (const MemberState state : {MemberState::kAlive, MemberState::kSuspect, MemberState::kDown, MemberState::kLeft}) {
    members.emplace(NameOf(state), 0);
  }
  members.emplace(NameOf(NodeState::kDeaf), 0);
  for (const NodeRow& row : core.nodes) {
    const bool self = row.state == NodeState::kSelf;
    ++members[std::string(self ? NameOf(NodeState::kAlive) : NameOf(row.state))];
  }
  out->Begin(MetricType::Gauge, "qure_members", "Nodes that this node knows, itself included, by state.");
  for (const auto& [state, count] : members) out->Add({{"state", state}}, count);
  out->Gauge("qure_config_differs", "Nodes present whose [cluster] configuration is another than this node's.",
             static_cast<double>(std::ranges::count_if(
                 core.nodes, [](const NodeRow& row) { return row.config_differs && IsPresent(row.state); })));
  out->Gauge("qure_config_unable", "Nodes present that cannot run the cluster's configuration.",
             static_cast<double>(std::ranges::count_if(
                 core.nodes, [](const NodeRow& row) { return row.config_unable && IsPresent(row.state); })));
  const auto& pending = core.config.pending;
  out->Gauge("qure_config_confirm_seconds",
             "Until the change of the cluster's configuration that waits to be confirmed is rolled back; 0: none does.",
             pending && pending->left ? ToSeconds(*pending->left) : 0.0);
  out->Gauge("qure_members_outside",
             "Nodes present that do not belong to the cluster by its records; 0 where none are kept.",
             static_cast<double>(core.roll.outside.size()));
  out->Gauge("qure_clustered", "1 if this node speaks to others: it has a key, or the cluster is open.",
             OneIf(core.clustered));
  out->Gauge("qure_maintenance", "1 if this node is not to lead.", OneIf(core.maintenance));
  out->Gauge("qure_ineligible", "1 if another machine has this node's identity: it cannot become master.",
             OneIf(core.ineligible));
  out->Gauge("qure_node_address_conflicts", "Addresses of this node that another host uses, too.",
             static_cast<double>(core.address_conflicts.size()));
  out->Gauge("qure_namesakes", "Members that have the name or the address of this node.",
             static_cast<double>(core.namesakes.size()));
  out->Gauge("qure_without_gateway", "1 if this node leads though the gateway does not answer.",
             OneIf(core.without_gateway));
  out->Gauge("qure_multicast_works", "1 if multicast reaches this node from all others, 0 if only broadcast does.",
             OneIf(core.multicast_works));
}

void CollectLife(const ControllerStatus& core, Families* out) {
  out->Gauge("qure_era", "Generation of the cluster: number of its lives, the present one included.", core.era);
  out->Gauge("qure_age", "Boot count of this node, this boot included.", static_cast<double>(core.age));
  out->Gauge("qure_cluster_uptime_seconds", "How long the cluster has been alive, over all eras of its lineage.",
             static_cast<double>(core.cluster_uptime_ms) / 1e3);
  out->Gauge("qure_history_events", "Events in the shared history.", static_cast<double>(core.history_events));
  out->Gauge("qure_term_era", "Era of the master's term; 0: no master is known.", core.term.era);
  out->Gauge("qure_term_epoch", "Term epoch of the master's term within its era.",
             static_cast<double>(core.term.epoch));
}

void CollectTakeovers(const NodeStatus& node, Families* out) {
  out->Begin(MetricType::Counter, "qure_takeovers_total", "Times that this node became master, by cause.");
  for (size_t i = 0; i < kCauseCount; ++i) {
    out->Add({{"cause", std::string(NameOf(static_cast<Cause>(i)))}}, node.controller.takeovers[i]);
  }
  out->Histogram("qure_takeover_duration_seconds",
                 "From the first sign that a master is missing to the claim of this node.", node.takeovers);
}

void CollectHeartbeater(const NodeStatus& node, Families* out) {
  const HeartbeatCounters& heartbeater = node.heartbeater;
  out->Gauge("qure_lease_seconds", "The lease between master and deputy; 0: none.", ToSeconds(node.lease.lease));
  out->Gauge("qure_lease_longest_gap_seconds",
             "The longest gap between two heartbeats recently: jitter of the network.",
             ToSeconds(node.lease.longest_gap));
  out->Gauge("qure_lease_round_trip_seconds", "Round trip of the last heartbeat that was acknowledged.",
             ToSeconds(node.lease.round_trip));
  out->Gauge("qure_lease_clock_ratio", "Deputy: seconds of its clock for one of the master's; 0: not measured.",
             static_cast<double>(node.lease.clock_ppm) / static_cast<double>(ClockRatio::kEqual));
  out->Begin(MetricType::Counter, "qure_heartbeats_total", "Heartbeats by direction and kind.");
  out->Add({{"direction", "sent"}, {"kind", "heartbeat"}}, heartbeater.heartbeats_sent);
  out->Add({{"direction", "sent"}, {"kind", "ack"}}, heartbeater.acks_sent);
  out->Add({{"direction", "received"}, {"kind", "heartbeat"}}, heartbeater.heartbeats_received);
  out->Add({{"direction", "received"}, {"kind", "ack"}}, heartbeater.acks_received);
  out->Begin(MetricType::Counter, "qure_heartbeats_rejected_total", "Heartbeats that were not accepted, by reason.");
  for (size_t i = 1; i < kHeartbeatRejectNames.size(); ++i) {
    out->Add({{"reason", std::string(kHeartbeatRejectNames[i])}}, heartbeater.rejected[i]);
  }
}

}  // namespace

void CollectCluster(const NodeStatus& node, Families* out) {
  const ControllerStatus& core = node.controller;
  CollectMembers(core, out);
  CollectLife(core, out);
  CollectTakeovers(node, out);
  CollectHeartbeater(node, out);
  out->Begin(MetricType::Counter, "qure_datagrams_rejected_total",
             "Cluster datagrams that were not believed, by reason.");
  for (size_t i = 0; i < kRejectCount; ++i) {
    out->Add({{"reason", std::string(NameOf(static_cast<Reject>(i)))}}, core.rejected[i]);
  }
  out->Gauge("qure_verdict", "What `qurectl status` says of the cluster: 0 serving, 1 degraded, 2 not serving.",
             static_cast<double>(VerdictOf(node).state));
  out->Begin(MetricType::Gauge, "qure_strangers", "Nodes heard in the last minute and not believed, by likely cause.");
  for (size_t i = 0; i < kStrangerCauses; ++i) {
    const auto cause = static_cast<StrangerCause>(i);
    const auto count = std::ranges::count(core.strangers, cause, &Stranger::cause);
    out->Add({{"cause", std::string(NameOf(cause))}}, static_cast<double>(count));
  }
  out->Begin(MetricType::Counter, "qure_messages_oversized_total",
             "Cluster messages that were not sent because no datagram holds them.");
  out->Add({}, core.oversized);
  out->Gauge("qure_persist_failures", "Changes in a row that could not be made durable.",
             static_cast<double>(core.persist_failures));
  out->Gauge("qure_store_alarm", "1 if what this node learns is forgotten when it stops.",
             OneIf(!node.store_alarm.empty()));
}

}  // namespace qure
