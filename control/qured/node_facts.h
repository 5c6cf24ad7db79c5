// The identity and properties of this node, from configuration, store, LAN port and kernel. They stay while the process
// runs.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "control/core/config.h"
#include "control/core/controller.h"
#include "control/core/stored.h"
#include "proto/net/address.h"

namespace qure {

// Each call draws a new boot id.
absl::StatusOr<NodeFacts> GatherFacts(const NodeConfig& config, const StoredState& stored, const MacAddress& lan_mac,
                                      const std::string& lan_interface);

// The source of cluster frames. Dedicated mode: the first IPv4 address of the configuration; shared: the first that
// the kernel has on `lan_interface`. Zero if there is none.
Ipv4Address ClusterAddress(const NodeConfig& config, const std::string& lan_interface);

}  // namespace qure
