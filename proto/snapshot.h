// The forwarding state: made by the control thread, immutable, read by the workers once per burst.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "proto/balance.h"
#include "proto/cluster/cluster_peer.h"
#include "proto/cluster/heartbeat_plan.h"
#include "proto/dns/authority.h"
#include "proto/net/address.h"
#include "proto/net/mac_filter.h"
#include "proto/services.h"

namespace qure {

inline constexpr size_t kMaxServiceAddresses = 32;  // per family

struct ServiceAddress {
  IpAddress address;
  MacAddress mac;        // the service MAC of this address
  bool serving = false;  // claimed by this node: answered for and delivered, otherwise only watched
  uint8_t id = 0;        // from 1; stays the address's own while the process runs
  bool to_all = false;   // a service at it has delivery = "multicast"

  // What ARP and ND name. A group address brings every frame to every node; none is ever sourced from it.
  MacAddress link_mac() const { return to_all ? GroupMac(mac) : mac; }
};

struct Snapshot {
  uint64_t revision = 0;

  // Who we are on the LAN.
  MacAddress lan_mac;   // the port's own MAC
  MacAddress node_mac;  // hop 0; also the MAC of the host port
  MacAddress node_mac_hop1;
  // As whom the node asks what needs an answer; in shared mode the kernel's address, at the port's own MAC.
  MacAddress question_mac;
  Ipv4Address question_address;
  uint16_t vlan = 0;      // 0: the LAN is untagged
  bool dedicated = true;  // the kernel sees the LAN only through the host port

  // The node's own addresses on the host port, in dedicated mode.
  std::vector<Ipv4Address> own_addresses;

  // At most kMaxServiceAddresses each: a scan over a few words is faster than any table.
  std::vector<ServiceAddress> addresses_v4;
  std::vector<ServiceAddress> addresses_v6;
  // The control thread wants to know whether anyone is there (kLanHeard).
  bool reports_lan = false;
  // Whose ARP and ND answers the control thread wants to see.
  std::vector<IpAddress> gateways;

  std::shared_ptr<const ServiceMap> services;  // null: none
  std::shared_ptr<const Balance> balance;      // null: this node serves all alone
  // The cluster's frames: UDP to this port and the group, the broadcast address or `node_address`. Port 0: none.
  uint16_t cluster_port = 0;
  Ipv4Address cluster_group;
  Ipv4Address node_address;
  std::shared_ptr<const ClusterPeers> cluster_peers;  // null: none known
  std::shared_ptr<const HeartbeatPlan> heartbeater;   // null: silent

  // The address is being handed over: ping and DNS are answered from the node MAC, which needs no lease; ARP and ND not
  // at all. So no frame is lost while the switch still leads here.
  bool handing_over = false;

  // The gateway's MAC per family, for what goes back to it by way of the master; zero: not known yet.
  MacAddress gateway_mac_v4;
  MacAddress gateway_mac_v6;

  // Unix time when the monotonic clock was zero, in seconds.
  int64_t unix_at_zero = 0;
  // Null when no zone is configured: queries then go to the kernel.
  std::shared_ptr<const DnsAuthority> dns;
  DnsRateLimit dns_limit;      // of its answers by UDP, but to hosts of the LAN
  uint32_t dns_log_every = 0;  // log every Nth query; 0: none

  // The MACs above that are this node's or a service's. The maker of a snapshot calls IndexMacs last.
  MacFilter macs;
  void IndexMacs() {
    macs = {};
    ForEachMac([this](const MacAddress& mac) { macs.Add(mac); });
  }
  template <typename Visit>
  void ForEachMac(Visit visit) const {
    for (const MacAddress& mac : {lan_mac, node_mac, node_mac_hop1}) visit(mac);
    for (const auto* addresses : {&addresses_v4, &addresses_v6}) {
      for (const ServiceAddress& service : *addresses) {
        visit(service.mac);
        visit(service.link_mac());
      }
    }
  }

  const ServiceAddress* Find(const Ipv4Address& address) const {
    for (const ServiceAddress& s : addresses_v4) {
      if (s.address.v4() == address) return &s;
    }
    return nullptr;
  }
  const ServiceAddress* Find(const Ipv6Address& address) const {
    for (const ServiceAddress& s : addresses_v6) {
      if (s.address.v6() == address) return &s;
    }
    return nullptr;
  }
  // Whether frames to this MAC are for a service address.
  bool IsServiceMac(const MacAddress& mac) const { return macs.MayHold(mac) && HasServiceMac(mac); }

 private:
  bool HasServiceMac(const MacAddress& mac) const {
    const auto at = [&mac](const ServiceAddress& s) { return s.mac == mac || (s.to_all && s.link_mac() == mac); };
    return std::ranges::any_of(addresses_v4, at) || std::ranges::any_of(addresses_v6, at);
  }
};

}  // namespace qure
