#include "proto/net/lan_hosts.h"

#include <algorithm>
#include <utility>

namespace qure {
namespace {

bool InAny(const std::vector<IpPrefix>& networks, const IpAddress& address) {
  return std::ranges::any_of(networks, [&](const IpPrefix& network) { return Contains(network, address); });
}

}  // namespace

LanHosts::LanHosts(std::vector<IpPrefix> networks, const std::vector<IpAddress>& gateways)
    : networks_(std::move(networks)) {
  for (const IpAddress& gateway : gateways) {
    const auto names = [&](const IpPrefix& network) { return network.address == gateway && NamesOne(network); };
    if (std::ranges::none_of(networks_, names) && InAny(networks_, gateway)) gateways_.push_back(gateway);
  }
}

bool LanHosts::Contain(const IpAddress& address) const {
  return InAny(networks_, address) && !IsGateway(address);
}

bool LanHosts::IsGateway(const IpAddress& address) const {
  return std::ranges::find(gateways_, address) != gateways_.end();
}

}  // namespace qure
