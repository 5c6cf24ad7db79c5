// A boot that has proven to the control core that it is active: its datagrams go before those of everybody else.
#pragma once

#include <algorithm>
#include <compare>
#include <tuple>
#include <vector>

#include "proto/cluster/heartbeat_plan.h"
#include "proto/cluster/node.h"
#include "proto/net/address.h"

namespace qure {

struct ClusterPeer {
  NodeId node{};
  BootId boot{};
  MacAddress mac;                  // by its own sealed word
  std::vector<HeartbeatKey> keys;  // under which it may seal: several while keys rotate
  friend bool operator==(const ClusterPeer&, const ClusterPeer&) = default;
};

// Sorted by node and boot.
using ClusterPeers = std::vector<ClusterPeer>;

// Null if there is none.
inline const ClusterPeer* FindPeer(const ClusterPeers& peers, const NodeId& node, const BootId& boot) {
  const auto at = std::ranges::lower_bound(peers, std::tie(node, boot), {},
                                           [](const ClusterPeer& peer) { return std::tie(peer.node, peer.boot); });
  return at != peers.end() && at->node == node && at->boot == boot ? &*at : nullptr;
}

}  // namespace qure
