// Who a node and a cluster are, and the MAC addresses that follow from it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/cluster/node.h"
#include "proto/net/address.h"

namespace qure {

using ClusterId = std::array<uint8_t, 16>;

ClusterId ClusterIdFromName(std::string_view name);

// Unicast, locally administered (IEEE 802c §8.4.4: the AAI quadrant, first octet x2), the rest a hash. The same on
// every node.
MacAddress ServiceMacFor(const ClusterId& cluster, const IpAddress& address);
// Hop is 0 or 1 and stands in the last bit: peers deliver forwarded frames to these.
MacAddress NodeMac(const NodeId& node, int hop);

// The cluster's multicast group unless configured: 239.192.0.0/14, the organization-local scope (RFC 2365 §6.2).
Ipv4Address GroupFor(const ClusterId& cluster);
// A source address for a node that has none: 169.254/16 (RFC 3927 §2.1), from its id. Only ever a source: peers answer
// to MAC and address together, so it need not be defended.
Ipv4Address LinkLocalFor(const NodeId& node);

// Eight bytes that identify a string of bytes: the same on every node (BLAKE2b).
uint64_t Fingerprint(std::string_view bytes);

std::string ToHex(const std::array<uint8_t, 16>& id);

}  // namespace qure
