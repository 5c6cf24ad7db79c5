// The addresses of a configuration (node.addresses, cluster.address, cluster.gateway) and how they depend on each
// other.
#pragma once

#include <cstdint>
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

  // What is read from now on stands in another file. Only of that are errors found: what stood in the one before has
  // lines that mean nothing there.
  void ReportTo(ConfigErrors* errors);

  // `addresses` of [node].
  std::vector<IpPrefix> NodeAddresses(TableReader* node);
  // [[cluster.address]]; at least one if it is `required`, at most kMaxServiceAddresses of a family.
  std::vector<AddressConfig> ServiceAddresses(TableReader* cluster, bool required = true);
  // `gateway` of [cluster]: at most one of a family, on the link of an address read before. Then how the addresses
  // stand to each other. Call last.
  std::vector<IpAddress> Gateways(TableReader* cluster);

 private:
  // An address that a host can have, given once in the file.
  std::optional<IpPrefix> HostAddress(const Placed<std::string>& text);
  std::optional<AddressConfig> ServiceAddress(TableReader* entry);
  // "line 3", or that it stands in the other file.
  std::string LineText(uint32_t line) const;
  void CheckGateway(const IpAddress& gateway, const Place& place) const;
  // An address within the network of another is on the same link, so that both say the same length. Otherwise the hosts
  // that only the shorter length has on the link are hosts of the LAN for one and strangers for the other: the kernel
  // has no route to answer them, the resolver refuses them.
  void CheckLinks() const;
  // A link on which there is nobody else needs a gateway.
  void CheckReach(const std::vector<IpAddress>& gateways) const;

  ConfigErrors* errors_;
  std::map<IpAddress, uint32_t> lines_;  // in which line an address was given; 0: in the file before
  std::vector<Placed<IpPrefix>> links_;  // every address read, with its on-link prefix
  bool links_known_ = true;              // all addresses were valid
};

}  // namespace qure
