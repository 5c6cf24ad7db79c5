// The cluster's own names as zones: nodes, services, reverse names and facts about the cluster. Pure.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "control/core/cluster_facts.h"
#include "proto/dns/zone.h"

namespace qure {

// CLUSTER.localcluster    A, AAAA: the service addresses; TXT: era, uptime, master and number of nodes
// NODE.localcluster       A, AAAA: its own addresses, while the node is active; TXT: id, role, age (boot count), uptime
// _SERVICE._tcp.localcluster      SRV (RFC 2782) to SERVICE.service.localcluster, the addresses it is served at
// nodes.SERVICE.service.localcluster  A, AAAA: the nodes that take its flows, in rotating order
// and a zone for the reverse name (RFC 1035 §3.5, RFC 3596 §2.5) of each of these addresses.
// Nodes named "service", "address" or "object" are left out. `unix_now` in seconds since 1970.
std::vector<std::shared_ptr<const DnsZone>> MakeClusterZones(const ClusterFacts& facts, uint64_t hash_seed,
                                                             uint64_t unix_now);

// The reverse name of an address, in lower-case wire form.
std::string ReverseName(const IpAddress& address);

}  // namespace qure
