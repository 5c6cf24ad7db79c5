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
  Ipv4Address address;              // the node's own, source of cluster frames; zero: none (LinkLocalFor is used)
  Ipv6Address address6;             // the node's own, for names; zero: none
  std::vector<IpPrefix> addresses;  // all of the node's own that its configuration names
  int32_t priority = 0;
  uint32_t weight = 1;
};

// The node's own MAC for frames of this hop. A link that refuses the service MAC refuses every other MAC but the
// port's own, too.
inline MacAddress OwnMac(const NodeFacts& facts, ServiceMac mode, int hop) {
  return mode == ServiceMac::kInterface ? facts.lan_mac : NodeMac(facts.node_id, hop);
}

// As whom the node asks the LAN what needs an answer.
struct QuestionSender {
  MacAddress mac_v4;
  Ipv4Address v4;
  MacAddress mac_v6;  // as the link-local address of this MAC
  friend bool operator==(const QuestionSender&, const QuestionSender&) = default;
};

// The source address of cluster frames.
inline Ipv4Address OwnAddress(const NodeFacts& facts) {
  return facts.address.is_zero() ? LinkLocalFor(facts.node_id) : facts.address;
}

// In shared mode the kernel has the address, at the port's own MAC: a question from another MAC would lead packets for
// it astray. A link-local address that follows from the node id is ours alone.
inline QuestionSender SenderOf(const NodeFacts& facts, ServiceMac mode) {
  const MacAddress node_mac = OwnMac(facts, mode, 0);
  const bool of_kernel = facts.lan_mode == LanMode::kShared && !facts.address.is_zero();
  return {.mac_v4 = of_kernel ? facts.lan_mac : node_mac, .v4 = OwnAddress(facts), .mac_v6 = node_mac};
}

}  // namespace qure
