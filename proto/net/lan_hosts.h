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

  bool Contain(const IpAddress& address) const;
  // A gateway that is in one of the networks and was not named.
  bool IsGateway(const IpAddress& address) const;

 private:
  std::vector<IpPrefix> networks_;
  std::vector<IpAddress> gateways_;  // not named
};

}  // namespace qure
