// Who this node is: what does not change while the process runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/core/cluster/identity.h"
#include "control/core/config.h"
#include "proto/cluster/node.h"
#include "proto/net/address.h"

namespace qure {

struct NodeFacts {
  NodeId node_id{};
  BootId boot_id{};
  std::string name;
  std::string revision;  // of the build
  MacAddress lan_mac;
  LanMode lan_mode = LanMode::kDedicated;
  uint16_t vlan = 0;
  Ipv4Address address;              // source of cluster frames; zero: link-local
  std::vector<IpPrefix> addresses;  // all of the node's own that its configuration names
  int32_t priority = 0;
  uint32_t weight = 1;
};

// The node's own MAC for frames of this hop. A link that refuses the service MAC refuses every other MAC but the
// port's own, too.
inline MacAddress OwnMac(const NodeFacts& facts, ServiceMac mode, int hop) {
  return mode == ServiceMac::kInterface ? facts.lan_mac : NodeMac(facts.node_id, hop);
}

// The source address of cluster frames.
inline Ipv4Address OwnAddress(const NodeFacts& facts) {
  return facts.address.is_zero() ? LinkLocalFor(facts.node_id) : facts.address;
}

}  // namespace qure
