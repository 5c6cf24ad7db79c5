// The addresses of a configuration (node.addresses, cluster.address, cluster.gateway) and how they depend on each
// other.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/config/config_reader.h"
#include "control/core/config.h"
#include "proto/net/address.h"

namespace qure {

class AddressReader {
 public:
  explicit AddressReader(ConfigErrors* errors) : errors_(errors) {}

  // `addresses` of [node].
  std::vector<IpPrefix> NodeAddresses(TableReader* node);
  // [[cluster.address]]; at least one, at most kMaxServiceAddresses of a family.
  std::vector<AddressConfig> ServiceAddresses(TableReader* cluster);
  // `gateway` of [cluster]: at most one of a family, on the link of an address read before. Call last.
  std::vector<IpAddress> Gateways(TableReader* cluster);

 private:
  // An address that a host can have, given once in the file.
  std::optional<IpPrefix> HostAddress(const Placed<std::string>& text);
  std::optional<AddressConfig> ServiceAddress(TableReader* entry);
  void CheckGateway(const IpAddress& gateway, const Place& place) const;

  ConfigErrors* errors_;
  std::map<IpAddress, uint32_t> lines_;  // in which line an address was given
  std::vector<IpPrefix> links_;          // every address read, with its on-link prefix
  bool links_known_ = true;              // all addresses were valid
};

}  // namespace qure
