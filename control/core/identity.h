// Who a node and a cluster are, and the MAC addresses that follow from it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/address.h"

namespace qure {

using NodeId = std::array<uint8_t, 16>;  // random, persistent
using ClusterId = std::array<uint8_t, 16>;

ClusterId ClusterIdFromName(std::string_view name);

// Unicast, locally administered (IEEE 802c §8.4.4: the AAI quadrant, first octet x2), the rest a hash. The same on
// every node.
MacAddress ServiceMacFor(const ClusterId& cluster, const IpAddress& address);
// Hop is 0 or 1 and stands in the last bit: peers deliver forwarded frames to these.
MacAddress NodeMac(const NodeId& node, int hop);

std::string ToHex(const std::array<uint8_t, 16>& id);

}  // namespace qure
