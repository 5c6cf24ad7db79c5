// Which addresses belong to hosts of the LAN: the one rule for all that only they may have (recursion, answers beyond
// the rate limit, the cluster's own names).
#pragma once

#include <vector>

#include "proto/net/address.h"

namespace qure {

class LanHosts {
 public:
  LanHosts() = default;
  // `networks` of the LAN. A gateway is no host of it, for the whole Internet may be behind its address (it
  // masquerades towards the LAN), unless `networks` names it alone: its address with the full prefix length.
  explicit LanHosts(std::vector<IpPrefix> networks, const std::vector<IpAddress>& gateways = {});

  // Whether a network is one address, and so names it alone.
  static bool NamesOne(const IpPrefix& network) { return network.length == (network.address.is_v4() ? 32 : 128); }

  bool Contain(const IpAddress& address) const;
  // A gateway that is in one of the networks and was not named.
  bool IsGateway(const IpAddress& address) const;

 private:
  std::vector<IpPrefix> networks_;
  std::vector<IpAddress> gateways_;  // not named
};

}  // namespace qure
