#include "tests/packet/cases.h"

namespace qure::testing {

namespace {

constexpr uint16_t kMoreFragments = 0x2000;

Bytes Ip4Frame(const MacAddress& to, const Ip4Header& ip, const Bytes& payload) {
  return Build(Ether{to, kGatewayMac, 0x0800}, Build(ip, payload));
}
Bytes Tcp4Frame(const MacAddress& to, const Ipv4Address& destination, uint16_t port) {
  return Ip4Frame(to, {.source = kClient4, .destination = destination, .protocol = 6},
                  Tcp(kClient4, destination, 40000, port, 2, {}));
}
Bytes Udp4Frame(const MacAddress& to, uint16_t port) {
  return Ip4Frame(to, {.source = kClient4, .destination = kService4, .protocol = 17},
                  Udp(kClient4, kService4, 40000, port, {1, 2, 3}));
}
Bytes Tcp6Frame(const MacAddress& to, const Ipv6Address& destination, uint16_t port) {
  return Build(Ether{to, kGatewayMac, 0x86dd},
               Build(Ip6Header{kClient6, destination, 6}, Tcp(kClient6, destination, 40000, port, 2, {})));
}
void DropOthers(Snapshot* s) {
  auto services = std::make_shared<ServiceMap>(*s->services);
  services->drop_others = true;
  s->services = services;
}
// service_mac = "interface": one MAC for everything.
void InterfaceMac(Snapshot* s) {
  s->node_mac = s->node_mac_hop1 = kLanMac;
  for (auto* list : {&s->addresses_v4, &s->addresses_v6}) {
    for (ServiceAddress& address : *list) address.mac = kLanMac;
  }
}

std::vector<Case> ServiceCases() {
  const Bytes tcp4 = Tcp4Frame(kServiceMac4, kService4, 80);
  const Bytes tcp6 = Tcp6Frame(kServiceMac6, kService6, 80);
  const Bytes ssh = Tcp4Frame(kServiceMac4, kService4, 22);
  const Bytes udp = Udp4Frame(kServiceMac4, 9999);
  const Bytes first =
      Ip4Frame(kServiceMac4, {.source = kClient4, .destination = kService4, .protocol = 17, .fragment = kMoreFragments},
               Bytes(64));
  const Bytes later =
      Ip4Frame(kServiceMac4, {.source = kClient4, .destination = kService4, .protocol = 17, .fragment = 8}, Bytes(3));
  const Bytes fragment6 =
      Build(Ether{kServiceMac6, kGatewayMac, 0x86dd},
            Build(Ip6Header{kClient6, kService6, 44}, {17, 0, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9}));
  const Bytes gre =
      Ip4Frame(kServiceMac4, {.source = kClient4, .destination = kService4, .protocol = 47}, {0, 0, 8, 0});
  const Bytes by_peer = Tcp4Frame(kNodeMac, kService4, 80);
  return {
      {"TCP to a service", tcp4, Reason::host_service, ToKernel(tcp4)},
      {"TCP to a service over IPv6", tcp6, Reason::host_service, ToKernel(tcp6)},
      {"TCP without a service, default local", ssh, Reason::host_service, ToKernel(ssh)},
      {"UDP without a service, default local", udp, Reason::host_service, ToKernel(udp)},
      {.name = "TCP without a service, default drop",
       .in = ssh,
       .reason = Reason::service_port_closed,
       .site = DropOthers},
      {.name = "UDP without a service, default drop",
       .in = udp,
       .reason = Reason::service_port_closed,
       .site = DropOthers},
      {.name = "TCP to a service, default drop",
       .in = tcp4,
       .reason = Reason::host_service,
       .out = ToKernel(tcp4),
       .site = DropOthers},
      {"to a service address in a frame to all", Udp4Frame(kBroadcastMac, 9999), Reason::ip_group_frame},
      {"to an IPv6 service address in a frame to all", Tcp6Frame(kBroadcastMac, kService6, 80), Reason::ip_group_frame},
      {"first fragment", first, Reason::host_service, ToKernel(first)},
      {"later fragment", later, Reason::host_service, ToKernel(later)},
      {"IPv6 fragment", fragment6, Reason::host_service, ToKernel(fragment6)},
      {"another protocol", gre, Reason::host_service, ToKernel(gre)},
      {"delivered by a peer to the node MAC", by_peer, Reason::host_service, by_peer},
      {"to an address that is not held", Tcp4Frame(kIdleMac4, kIdle4, 80), Reason::not_serving},
      {"to an IPv6 address that is not held", Tcp6Frame(kIdleMac6, kIdle6, 80), Reason::not_serving},
      {"to the node MAC for an address that is not held", Tcp4Frame(kNodeMac, kIdle4, 80), Reason::not_serving},
      {"to the service MAC, but another address", Tcp4Frame(kServiceMac4, kNode4, 80), Reason::not_service_address},
      {.name = "interface MAC: TCP to a service",
       .in = Tcp4Frame(kLanMac, kService4, 80),
       .reason = Reason::host_service,
       .out = Tcp4Frame(kLanMac, kService4, 80),
       .site = InterfaceMac},
      {.name = "interface MAC: TCP to the node",
       .in = Tcp4Frame(kLanMac, kNode4, 80),
       .reason = Reason::host_node,
       .out = Tcp4Frame(kLanMac, kNode4, 80),
       .site = InterfaceMac},
      {.name = "shared: TCP to a service",
       .in = tcp4,
       .reason = Reason::host_service,
       .out = ToKernel(tcp4),
       .site = Shared},
      {.name = "shared: to the kernel's own MAC",
       .in = Tcp4Frame(kLanMac, kNode4, 80),
       .reason = Reason::kernel_owned,
       .site = Shared},
  };
}

std::vector<Case> NodeCases() {
  const Bytes to_node = Tcp4Frame(kNodeMac, kNode4, 22);
  const Bytes to_node6 = Tcp6Frame(kNodeMac, kNode6, 22);
  const Bytes dhcp = Build(Ether{kBroadcastMac, kStrangerMac, 0x0800},
                           Build(Ip4Header{.source = {}, .destination = Ip4("255.255.255.255"), .protocol = 17},
                                 Udp(Ip4("0.0.0.0"), Ip4("255.255.255.255"), 68, 67, Bytes(240))));
  const Bytes mdns = Build(Ether{Mac("01:00:5e:00:00:fb"), kStrangerMac, 0x0800},
                           Build(Ip4Header{.source = kClient4, .destination = Ip4("224.0.0.251"), .protocol = 17},
                                 Udp(kClient4, Ip4("224.0.0.251"), 5353, 5353, Bytes(12))));
  const Bytes lldp = Pad(Build(Ether{Mac("01:80:c2:00:00:0e"), kStrangerMac, 0x88cc}, {2, 7, 4, 0, 0, 0, 0, 0, 1}));
  const Bytes own_type = Pad(Build(Ether{kNodeMac, kStrangerMac, 0x88b5}, {1, 2, 3}));
  const Bytes priority_tag =
      Build(Ether{kNodeMac, kGatewayMac, 0x0800, 0x6000}, Bytes(to_node.begin() + 14, to_node.end()));
  return {
      {"to the node", to_node, Reason::host_node, to_node},
      {"to the node over IPv6", to_node6, Reason::host_node, to_node6},
      {"to the node, priority-tagged", priority_tag, Reason::host_node, to_node},
      {"broadcast from 0.0.0.0", dhcp, Reason::host_group, dhcp},
      {"multicast", mdns, Reason::host_group, mdns},
      {.name = "shared: multicast is the kernel's", .in = mdns, .reason = Reason::kernel_owned, .site = Shared},
      {"another protocol to a group", lldp, Reason::host_group, lldp},
      {"another protocol to the node", own_type, Reason::host_node, own_type},
      {"to somebody else's MAC", Tcp4Frame(kStrangerMac, kNode4, 80), Reason::other_mac},
      {"to the NIC's own MAC, which was never announced", Tcp4Frame(kLanMac, kNode4, 80), Reason::other_mac},
      {"our own frame came back", Build(Ether{kBroadcastMac, kNodeMac, 0x0800}, Bytes(46)), Reason::own_frame},
      {"our own announcement came back",
       Build(Ether{kBroadcastMac, kServiceMac4, 0x0806}, Bytes(46)),
       Reason::own_frame,
       std::nullopt,
       {{.kind = EventKind::kServiceMacSeen, .mac = kServiceMac4, .ip = kService4}}},
      {"another node holds an address that we do not",
       Build(Ether{kStrangerMac, kIdleMac6, 0x86dd}, Bytes(46)),
       Reason::other_mac,
       std::nullopt,
       {{.kind = EventKind::kServiceMacSeen, .mac = kIdleMac6, .ip = kIdle6}}},
      {"tagged on an untagged LAN", Build(Ether{kNodeMac, kGatewayMac, 0x0800, 9}, Bytes(46)), Reason::vlan_foreign},
      {"tagged twice", Build(Ether{kNodeMac, kGatewayMac, 0x8100, 0}, Bytes(46)), Reason::vlan_foreign},
      {.name = "untagged on a tagged LAN", .in = to_node, .reason = Reason::vlan_foreign, .site = Vlan7},
  };
}

}  // namespace

std::vector<Case> DeliveryCases() {
  return Join({ServiceCases(), NodeCases()});
}

}  // namespace qure::testing
