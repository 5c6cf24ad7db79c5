// The kernel's side of the host port: addresses, routes and rules on `qure0`, set by netlink (libnl-route).
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/core/config.h"
#include "control/kernel/journal.h"
#include "control/kernel/netlink.h"
#include "proto/net/address.h"

namespace qure {

// What the machine itself has on the interface beneath the LAN port.
struct LanUse {
  std::set<ForeignAddress> addresses;
  std::set<ForeignRoute> routes;
  bool empty() const { return addresses.empty() && routes.empty(); }
};

struct HostInterfaceOptions {
  KernelJournal* journal = nullptr;  // outlives the interface
  std::string interface = "qure0";
  std::string lan_interface;  // the kernel interface beneath the LAN port, "" if none
  LanMode mode = LanMode::kDedicated;
  uint16_t mtu = 1500;
  std::vector<IpPrefix> node_addresses;  // dedicated mode
  LanUse taken;  // dedicated mode: moves to the host port; its addresses are among node_addresses
  std::vector<IpAddress> gateways;
};

// Every change is idempotent. What outlives the host port is written into the journal first; routes and rules have a
// protocol number of their own (kRouteProtocol). What is set on the host port itself vanishes with it.
class HostInterface {
 public:
  static constexpr uint8_t kRouteProtocol = 81;  // rtnetlink rtm_protocol, unassigned in iproute2's rt_protos
  static constexpr uint32_t kRouteTable = 5351;
  static constexpr uint32_t kRulePriority = 5351;

  // The settings that Create makes, but for those of the host port.
  static KernelJournal::Wanted Settings(const HostInterfaceOptions& options);

  // Brings the interface up with its MTU, sysctls (arp_ignore, arp_announce, rp_filter, IPv6 address generation and
  // DAD) and the node's addresses and default routes. In dedicated mode it silences the LAN interface: no ARP, no IPv6,
  // and strict reverse path filtering, so that the kernel does not receive a second time the frames that the data path
  // gives it. What is taken moves from there: it is on both for a moment, so that no connection breaks. Errors:
  // NotFound (an interface is missing), PermissionDenied, and other errors of the kernel.
  static absl::StatusOr<std::unique_ptr<HostInterface>> Create(const HostInterfaceOptions& options);
  // Removes addresses, rules and routes, even if the interface no longer exists. The rest is the journal's to undo.
  ~HostInterface();
  HostInterface(const HostInterface&) = delete;
  HostInterface& operator=(const HostInterface&) = delete;

  // Sets exactly these service addresses on the interface (/32, /128, no DAD), each with its rule `from ADDRESS lookup
  // TABLE`; the table leads to the on-link prefixes and the gateways through the interface. Applies only the
  // differences: an address that stays is not touched.
  absl::Status SetServiceAddresses(const std::vector<IpPrefix>& addresses);
  // Sets new gateways (after a reload). Takes effect at once.
  absl::Status SetGateways(const std::vector<IpAddress>& gateways);

  // Looks whether all that Create, SetServiceAddresses and SetGateways have set is still so, and puts back what is not:
  // a line about each. What others have added stays. Errors: NotFound if an interface is gone for good, which only a
  // new start mends, and other errors of the kernel.
  absl::Status PutBack(std::vector<std::string>* put_back);

 private:
  struct Impl;
  explicit HostInterface(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace qure
