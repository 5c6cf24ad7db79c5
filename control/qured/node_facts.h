// The identity and properties of this node, from configuration, store, LAN port and kernel. They stay while the process
// runs.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/core/config.h"
#include "control/core/controller.h"
#include "control/core/stored.h"
#include "proto/net/address.h"

namespace qure {

// Each call draws a new boot id.
NodeFacts GatherFacts(const NodeConfig& config, const StoredState& stored, const MacAddress& lan_mac,
                      const std::string& lan_interface);

// The source of cluster frames. Dedicated mode: the first IPv4 address of the configuration; shared: the first that
// the kernel has on `lan_interface`. Zero if there is none.
Ipv4Address ClusterAddress(const NodeConfig& config, const std::string& lan_interface);

// The IPv6 address of the node that names give. Dedicated mode: the first of the configuration; shared: the first that
// lasts on `lan_interface`. Zero if there is none.
Ipv6Address NameAddress6(const NodeConfig& config, const std::string& lan_interface);

// The first IPv6 address of the interface in the kernel's table (/proc/net/if_inet6) that others can reach for long:
// of global scope, not temporary (RFC 8981), not deprecated, not still or unsuccessfully checked for duplicates.
Ipv6Address LastingIpv6In(std::string_view table, std::string_view interface);

}  // namespace qure
