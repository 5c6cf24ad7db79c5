// The metrics of the cluster: role, members, terms, takeovers, lease and heartbeats, rejected datagrams.
#pragma once

#include "control/operator/metric_families.h"
#include "control/operator/status.h"

namespace qure {

void CollectCluster(const NodeStatus& node, Families* out);

}  // namespace qure
