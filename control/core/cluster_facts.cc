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
          .address = row.address,
          .age = row.age,
          .alive = IsPresent(row.state),
          .booted = SecondsAgo(unix_now, row.uptime + row.heard_ago)};
}

ClusterFacts::Service FactOf(const ServiceConfig& service, const ControllerStatus& status,
                             const std::vector<IpAddress>& addresses) {
  ClusterFacts::Service fact{.name = service.name,
                             .protocol = service.protocol,
                             .port = service.first_port,
                             .addresses = service.address ? std::vector{*service.address} : addresses,
                             .healthy = {}};
  const auto row = std::ranges::find(status.services, service.name, &ServiceRow::name);
  for (const NodeRow& node : status.nodes) {
    const bool unhealthy = row != status.services.end() && row->unfit_at.contains(node.node);
    if (IsPresent(node.state) && node.state != NodeState::kDeaf && !unhealthy && !node.draining)
      fact.healthy.insert(node.node);
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
  for (const NodeRow& row : status.nodes) facts.nodes.push_back(FactOf(row, unix_now));
  for (const ServiceConfig& service : config.services) {
    facts.services.push_back(FactOf(service, status, facts.service_addresses));
  }
  return facts;
}

}  // namespace qure
