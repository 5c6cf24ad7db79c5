// The kernel's side of the host port: addresses, routes and rules on `qure0`, by netlink (libnl-route).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/core/config.h"
#include "proto/net/address.h"

namespace qure {

struct HostInterfaceOptions {
  std::string interface = "qure0";
  std::string lan_interface;  // the kernel interface beneath the LAN port, "" if none
  LanMode mode = LanMode::kDedicated;
  uint16_t mtu = 1500;
  std::vector<IpPrefix> node_addresses;  // dedicated mode
  std::vector<IpAddress> gateways;
};

// Everything is set so that a repetition changes nothing, and all that a killed predecessor left behind is removed
// first: rules and routes carry our own protocol number (kRouteProtocol).
class HostInterface {
 public:
  static constexpr uint8_t kRouteProtocol = 81;  // rtnetlink rtm_protocol, unassigned in iproute2's rt_protos
  static constexpr uint32_t kRouteTable = 5351;
  static constexpr uint32_t kRulePriority = 5351;

  // Brings the interface up with its MTU, sysctls (arp_ignore, arp_announce, rp_filter, IPv6 address generation and
  // DAD) and the node's addresses and default routes. In dedicated mode the LAN interface is silenced: no ARP, no IPv6,
  // and strict reverse path filtering, so that the kernel does not take frames a second time that the data path has
  // given it. Errors: NotFound (an interface is missing), PermissionDenied, and what else the kernel says.
  static absl::StatusOr<std::unique_ptr<HostInterface>> Create(const HostInterfaceOptions& options);
  // Removes addresses, rules and routes, whether the interface is still there or not. Restores the LAN interface.
  ~HostInterface();
  HostInterface(const HostInterface&) = delete;
  HostInterface& operator=(const HostInterface&) = delete;

  // Exactly these service addresses on the interface (/32, /128, no DAD), each with its rule `from ADDRESS lookup
  // TABLE`; the table leads to the on-link prefixes and the gateways through the interface. Differences only: a kept
  // address is not touched.
  absl::Status SetServiceAddresses(const std::vector<IpPrefix>& addresses);
  // New gateways (a reload); takes effect on the table at once.
  absl::Status SetGateways(const std::vector<IpAddress>& gateways);

 private:
  struct Impl;
  explicit HostInterface(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace qure
