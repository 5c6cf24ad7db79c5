// What a node knows of its cluster and publishes by DNS and mDNS: plain values.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "control/core/node_role.h"
#include "proto/cluster/node.h"
#include "proto/net/address.h"

namespace qure {

struct ClusterConfig;
struct ControllerStatus;

struct ClusterFacts {
  struct Node {
    NodeId id{};
    std::string name;
    NodeRole role = NodeRole::kNone;   // kNone: it is not there
    std::vector<IpAddress> addresses;  // its own, at most one of a family
    uint64_t age = 0;                  // boot count
    bool alive = false;
    uint64_t booted = 0;  // seconds since 1970, as far as it is known
    // Without the time of the boot, which is known but to a second or so.
    friend bool operator==(const Node& a, const Node& b) {
      return a.id == b.id && a.name == b.name && a.role == b.role && a.addresses == b.addresses && a.age == b.age &&
             a.alive == b.alive;
    }
  };
  struct Service {
    std::string name;
    uint8_t protocol = 6;              // TCP or UDP
    uint16_t port = 0;                 // the first one
    std::vector<IpAddress> addresses;  // service addresses that it is served at
    std::vector<NodeId> healthy;       // nodes that take flows of it, by id: alive, not draining, and no check fails
    bool IsHealthy(const NodeId& node) const { return std::ranges::binary_search(healthy, node); }
    friend bool operator==(const Service&, const Service&) = default;
  };

  std::string cluster;
  bool master = false;  // this node is
  uint32_t era = 0;
  uint64_t lineage = 0;
  uint64_t born = 0;                         // seconds since 1970: when this era began
  std::vector<IpAddress> service_addresses;  // as claimed, or to be claimed
  std::vector<Node> nodes;                   // this node first
  std::vector<Service> services;

  friend bool operator==(const ClusterFacts& a, const ClusterFacts& b) {
    return a.cluster == b.cluster && a.master == b.master && a.era == b.era && a.lineage == b.lineage &&
           a.service_addresses == b.service_addresses && a.nodes == b.nodes && a.services == b.services;
  }
};

// `unix_now`: seconds since 1970.
ClusterFacts FactsOf(const ClusterConfig& config, const ControllerStatus& status, uint64_t unix_now);

}  // namespace qure
