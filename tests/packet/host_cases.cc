#include "proto/net/way_in.h"
#include "tests/packet/cases.h"

namespace qure::testing {

namespace {

constexpr uint16_t kRequest = 1;
constexpr uint16_t kReply = 2;
const MacAddress kZero{};
const MacAddress kSolicitedMac1 = Mac("33:33:ff:00:00:01");
const Ipv6Address kSolicitedNode1 = Ip6("ff02::1:ff00:1");
// fe80::/64 and the EUI-64 of kNodeMac, 02:11:11:11:11:10.
const Ipv6Address kNodeLinkLocal = Ip6("fe80::11:11ff:fe11:1110");

Bytes ArpFrame(const MacAddress& to, const Arp& arp) {
  return Build(Ether{to, kNodeMac, 0x0806}, Build(arp));
}

Bytes NdFrame(const MacAddress& to, const Ipv6Address& source, const Ipv6Address& destination, uint8_t type,
              const Bytes& body) {
  return Build(Ether{to, kNodeMac, 0x86dd},
               Build(Ip6Header{source, destination, 58, 255}, Icmp6(source, destination, type, 0, body)));
}

Case FromHost(const char* name, const Bytes& in, Reason reason, std::optional<Bytes> out = std::nullopt) {
  return {.name = name, .in = in, .reason = reason, .out = std::move(out), .direction = Direction::kFromHost};
}
Case Passes(const char* name, const Bytes& frame) {
  return FromHost(name, frame, Reason::lan_host, frame);
}

Bytes WayInAnswer4() {
  return Build(Ether{kGatewayMac, kNodeMac, 0x0800},
               Build(Ip4Header{.source = kService4, .destination = kWayInSource4, .protocol = 6},
                     Tcp(kService4, kWayInSource4, 80, 40000, 0x12, {})));
}
Bytes WayInAnswer6() {
  return Build(Ether{kGatewayMac, kNodeMac, 0x86dd},
               Build(Ip6Header{kService6, kWayInSource6, 6, 64}, Tcp(kService6, kWayInSource6, 80, 40000, 0x14, {})));
}

}  // namespace

std::vector<Case> HostCases() {
  const Bytes reply_of_service = Build(Ether{kGatewayMac, kNodeMac, 0x0800},
                                       Build(Ip4Header{.source = kService4, .destination = kClient4, .protocol = 6},
                                             Tcp(kService4, kClient4, 80, 40000, 0x12, {})));
  const Bytes as_service = ArpFrame(kBroadcastMac, {kRequest, kNodeMac, kService4, kZero, kGateway4});
  const Bytes as_node = ArpFrame(kBroadcastMac, {kRequest, kNodeMac, kNode4, kZero, kGateway4});
  const Bytes as_kernel =
      Build(Ether{kBroadcastMac, kLanMac, 0x0806}, Build(Arp{kRequest, kLanMac, kNode4, kZero, kGateway4}));
  const Bytes solicit_as_service =
      NdFrame(kSolicitedMac1, kService6, kSolicitedNode1, 135, NeighborBody(0, kGateway6, 1, kNodeMac));
  const Bytes solicit_link_local =
      NdFrame(kSolicitedMac1, kNodeLinkLocal, kSolicitedNode1, 135, NeighborBody(0, kGateway6, 1, kNodeMac));
  const Bytes mld =
      Build(Ether{Mac("33:33:00:00:00:16"), kNodeMac, 0x86dd},
            Build(Ip6Header{kNodeLinkLocal, Ip6("ff02::16"), 0, 1},
                  Concat({{58, 0, 5, 2, 0, 0, 1, 0}, Icmp6(kNodeLinkLocal, Ip6("ff02::16"), 143, 0, Bytes(24))})));
  const Bytes service_mac = Build(Ether{kGatewayMac, kServiceMac4, 0x0800}, Bytes(46));
  const Ipv6Address all_nodes = Ip6("ff02::1");
  const MacAddress all_nodes_mac = Mac("33:33:00:00:00:01");
  return {
      Passes("direct return", reply_of_service),
      Passes("request of the node", ArpFrame(kBroadcastMac, {kRequest, kNodeMac, kNode4, kZero, kGateway4})),
      Passes("reply of the node", ArpFrame(kGatewayMac, {kReply, kNodeMac, kNode4, kGatewayMac, kGateway4})),
      Passes("the node asks who has an address of ours",
             ArpFrame(kBroadcastMac, {kRequest, kNodeMac, kNode4, kZero, kIdle4})),
      Passes("solicitation of the node",
             NdFrame(kSolicitedMac1, kNode6, kSolicitedNode1, 135, NeighborBody(0, kGateway6, 1, kNodeMac))),
      Passes("advertisement of the node",
             NdFrame(kGatewayMac, kNode6, kGateway6, 136, NeighborBody(0x60000000, kNode6, 2, kNodeMac))),
      Passes("multicast listener report", mld),
      FromHost("request as the service address", as_service, Reason::lan_arp_anonymous, as_node),
      {.name = "shared: request as the service address",
       .in = as_service,
       .reason = Reason::lan_arp_anonymous,
       .out = as_kernel,
       .direction = Direction::kFromHost,
       .site = SharedWithAddress},
      FromHost("reply as the service address",
               ArpFrame(kGatewayMac, {kReply, kNodeMac, kService4, kGatewayMac, kGateway4}), Reason::host_arp_blocked),
      FromHost("announcement of the service address",
               ArpFrame(kBroadcastMac, {kRequest, kNodeMac, kService4, kZero, kService4}), Reason::host_arp_blocked),
      FromHost("probe for the service address", ArpFrame(kBroadcastMac, {kRequest, kNodeMac, {}, kZero, kIdle4}),
               Reason::host_arp_blocked),
      FromHost("request as one service address for another",
               ArpFrame(kBroadcastMac, {kRequest, kNodeMac, kService4, kZero, kIdle4}), Reason::host_arp_blocked),
      FromHost("ARP cut short", Bytes(as_service.begin(), as_service.begin() + 40), Reason::arp_truncated),
      FromHost("solicitation as the service address", solicit_as_service, Reason::lan_nd_anonymous, solicit_link_local),
      FromHost("advertisement of the service address",
               NdFrame(kGatewayMac, kService6, kGateway6, 136, NeighborBody(0x60000000, kService6, 2, kNodeMac)),
               Reason::host_nd_blocked),
      FromHost("unsolicited advertisement of the service address",
               NdFrame(all_nodes_mac, kNodeLinkLocal, all_nodes, 136, NeighborBody(0x20000000, kIdle6, 2, kNodeMac)),
               Reason::host_nd_blocked),
      FromHost("duplicate address detection for the service address",
               NdFrame(Mac("33:33:ff:00:00:50"), {}, Ip6("ff02::1:ff00:50"), 135, NeighborBody(0, kService6, 0, {})),
               Reason::host_nd_blocked),
      FromHost("sourced from the service MAC", service_mac, Reason::host_source_mac),
      FromHost("answer to a health check", WayInAnswer4(), Reason::way_in_answer),
      FromHost("answer to a health check, IPv6", WayInAnswer6(), Reason::way_in_answer),
      FromHost("tagged by the kernel", Build(Ether{kGatewayMac, kNodeMac, 0x0800, 5}, Bytes(46)), Reason::vlan_foreign),
      {.name = "tagged on the way out",
       .in = reply_of_service,
       .reason = Reason::lan_host,
       .out =
           Build(Ether{kGatewayMac, kNodeMac, 0x0800, 7}, Bytes(reply_of_service.begin() + 14, reply_of_service.end())),
       .direction = Direction::kFromHost,
       .site = Vlan7},
  };
}

}  // namespace qure::testing
