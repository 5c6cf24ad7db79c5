#include "control/core/cluster_facts.h"

#include <algorithm>

#include "control/core/config.h"
#include "control/core/controller_status.h"

namespace qure {
namespace {

uint64_t SecondsAgo(uint64_t now, Duration span) {
  return now - std::min(now, static_cast<uint64_t>(span.ns / Seconds(1).ns));
}

ClusterFacts::Node FactOf(const NodeRow& row, uint64_t unix_now) {
  return {.id = row.node,
          .name = row.name,
          .role = row.role,
          .addresses = row.addresses,
          .age = row.age,
          .alive = IsPresent(row.state),
          .booted = SecondsAgo(unix_now, row.uptime + row.heard_ago)};
}

// `present`: by id.
ClusterFacts::Service FactOf(const ServiceConfig& service, const ServiceRow* row,
                             const std::vector<const NodeRow*>& present, const std::vector<IpAddress>& addresses) {
  ClusterFacts::Service fact{.name = service.name,
                             .protocol = service.protocol,
                             .port = service.first_port,
                             .addresses = service.address ? std::vector{*service.address} : addresses,
                             .healthy = {}};
  for (const NodeRow* node : present) {
    const bool unfit = row != nullptr && !IsHealthy(row->CheckAt(node->node));
    if (!unfit && !node->draining && !node->config_unable && node->state != NodeState::kDeaf)
      fact.healthy.push_back(node->node);
  }
  return fact;
}

}  // namespace

ClusterFacts FactsOf(const ClusterConfig& config, const ControllerStatus& status, uint64_t unix_now) {
  ClusterFacts facts;
  facts.cluster = config.name;
  facts.master = status.role == NodeRole::kMaster;
  facts.era = status.era;
  facts.lineage = status.lineage;
  facts.born = SecondsAgo(unix_now, Milliseconds(static_cast<int64_t>(status.cluster_uptime_ms)));
  for (const ClaimStatus& claim : status.claims) facts.service_addresses.push_back(claim.address.address);
  std::vector<const NodeRow*> present;
  for (const NodeRow& row : status.nodes) {
    facts.nodes.push_back(FactOf(row, unix_now));
    if (IsPresent(row.state)) present.push_back(&row);
  }
  std::ranges::sort(present, {}, &NodeRow::node);
  // The rows of the status stand in the order of the configuration, unless it has just changed.
  for (size_t i = 0; i < config.services.size(); ++i) {
    const ServiceConfig& service = config.services[i];
    const bool same = i < status.services.size() && status.services[i].name == service.name;
    facts.services.push_back(FactOf(service, same ? &status.services[i] : nullptr, present, facts.service_addresses));
  }
  return facts;
}

}  // namespace qure
