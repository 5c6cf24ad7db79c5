// The records that this node publishes by Multicast DNS and DNS-SD (RFC 6763): its own and, on the master, the
// cluster's.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "control/core/cluster_facts.h"
#include "control/core/config.h"
#include "control/names/mdns_responder.h"

namespace qure {

// Each node publishes NODE.local with its own addresses. The master also publishes CLUSTER.local with the service
// addresses, and "CLUSTER SERVICE" for each service that has a type. `taken`: lower-case names that other hosts hold;
// the next free one is used instead (NAME-2 for hosts, "NAME (2)" for services).
std::vector<MdnsEntry> MakeMdnsPublication(const ClusterFacts& facts, const ClusterConfig& config,
                                           const std::set<std::string>& taken);

// Adds names that other hosts were found to hold. Somebody who takes every name that is tried would make the set grow
// for ever: beyond kMostTaken it begins anew, and so do the names.
inline constexpr size_t kMostTaken = 128;
void AddTaken(const std::set<std::string>& lost, std::set<std::string>* taken);

}  // namespace qure
