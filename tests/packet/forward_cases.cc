#include <cstring>

#include "proto/net/checksum.h"
#include "tests/packet/cases.h"

namespace qure::testing {

namespace {

constexpr uint8_t kSyn = 2;
constexpr uint8_t kAck = 16;

Bytes Tcp4(const MacAddress& to, uint8_t flags, const MacAddress& from = kGatewayMac, uint16_t port = 80) {
  return Build(Ether{to, from, 0x0800}, Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = 6},
                                              Tcp(kClient4, kService4, 40000, port, flags, {})));
}
Bytes Tcp6(const MacAddress& to, uint8_t flags) {
  return Build(Ether{to, kGatewayMac, 0x86dd},
               Build(Ip6Header{kClient6, kService6, 6}, Tcp(kClient6, kService6, 40000, 80, flags, {})));
}
// With a hop-by-hop header that pads.
Bytes Tcp6Options(const MacAddress& to) {
  Bytes payload = {6, 0, 1, 4, 0, 0, 0, 0};
  const Bytes tcp = Tcp(kClient6, kService6, 40000, 80, kSyn, {});
  payload.insert(payload.end(), tcp.begin(), tcp.end());
  return Build(Ether{to, kGatewayMac, 0x86dd}, Build(Ip6Header{kClient6, kService6, 0}, payload));
}

// The start of a packet of the flow that the owner had sent: IPv4 header and eight bytes of TCP.
Bytes Quote4() {
  const Bytes whole = Build(Ip4Header{.source = kService4, .destination = kClient4, .protocol = 6},
                            Tcp(kService4, kClient4, 80, 40000, kAck, {}));
  return {whole.begin(), whole.begin() + 28};
}
Bytes TooBig4(const MacAddress& to, const Bytes& quote) {
  Bytes icmp = {3, 4, 0, 0, 0, 0, 5, 0};
  icmp.insert(icmp.end(), quote.begin(), quote.end());
  const Be16 checksum = InternetChecksum(icmp);
  std::memcpy(&icmp[2], &checksum, 2);
  return Build(Ether{to, kGatewayMac, 0x0800},
               Build(Ip4Header{.source = kGateway4, .destination = kService4, .protocol = 1}, icmp));
}
Bytes TooBig6(const MacAddress& to) {
  const Bytes whole =
      Build(Ip6Header{kService6, kClient6, 6}, Tcp(kService6, kClient6, 80, 40000, kAck, Bytes(200, 'x')));
  Bytes icmp = {2, 0, 0, 0, 0, 0, 5, 0};
  icmp.insert(icmp.end(), whole.begin(), whole.begin() + 48);
  const Be16 checksum = TransportChecksum(kGateway6, kService6, 58, icmp);
  std::memcpy(&icmp[2], &checksum, 2);
  return Build(Ether{to, kGatewayMac, 0x86dd}, Build(Ip6Header{kGateway6, kService6, 58}, icmp));
}

// What the kernel answers: from the service address, by the gateway.
Bytes Reply4(uint8_t flags = kAck, uint16_t port = 80) {
  return Build(Ether{kGatewayMac, kNodeMac, 0x0800},
               Build(Ip4Header{.source = kService4, .destination = kClient4, .protocol = 6},
                     Tcp(kService4, kClient4, port, 40000, flags, {1})));
}
Bytes Reply6() {
  return Build(Ether{kGatewayMac, kNodeMac, 0x86dd},
               Build(Ip6Header{kService6, kClient6, 6}, Tcp(kService6, kClient6, 80, 40000, kAck, {1})));
}

Bytes Readdress(Bytes frame, const MacAddress& destination, const MacAddress& source) {
  std::copy(destination.bytes.begin(), destination.bytes.end(), frame.begin());
  std::copy(source.bytes.begin(), source.bytes.end(), frame.begin() + 6);
  return frame;
}
Bytes ToPeer(const Bytes& frame, const MacAddress& mac) {
  return Readdress(frame, mac, kNodeMac);
}

std::function<void(Snapshot*)> Owners(NodeSlot current, NodeSlot previous) {
  return [=](Snapshot* s) { s->balance = OneOwner(current, previous); };
}
// This node holds nothing: it is a member.
std::function<void(Snapshot*)> Member(NodeSlot current, NodeSlot previous) {
  return [=](Snapshot* s) {
    s->balance = OneOwner(current, previous);
    for (auto* list : {&s->addresses_v4, &s->addresses_v6}) {
      for (ServiceAddress& address : *list) address.serving = false;
    }
  };
}
// The service's replies return by the master, peer 1 unless this node is it.
std::function<void(Snapshot*)> Returning(bool master) {
  return [=](Snapshot* s) {
    auto services = std::make_shared<ServiceMap>(*s->services);
    services->services[0].return_by_master = services->any_return_by_master = true;
    s->services = services;
    auto balance = std::make_shared<Balance>(*OneOwner(kSelfSlot, kSelfSlot));
    if (!master) balance->master = kPeer1;
    s->balance = balance;
    s->gateway_mac_v4 = s->gateway_mac_v6 = kGatewayMac;
    for (auto* list : {&s->addresses_v4, &s->addresses_v6}) {
      for (ServiceAddress& address : *list) address.serving = address.serving && master;
    }
  };
}

Case On(std::string name, Bytes in, Reason reason, Bytes out, std::function<void(Snapshot*)> site) {
  return {
      .name = std::move(name), .in = std::move(in), .reason = reason, .out = std::move(out), .site = std::move(site)};
}

std::vector<Case> MasterCases() {
  const Bytes syn = Tcp4(kServiceMac4, kSyn);
  const Bytes ack = Tcp4(kServiceMac4, kAck);
  const Bytes syn6 = Tcp6(kServiceMac6, kSyn);
  const Bytes options6 = Tcp6Options(kServiceMac6);
  const Bytes error4 = TooBig4(kServiceMac4, Quote4());
  const Bytes error6 = TooBig6(kServiceMac6);
  const Bytes other_port = Tcp4(kServiceMac4, kSyn, kGatewayMac, 22);
  const Bytes short_quote = TooBig4(kServiceMac4, {0x45, 0, 0, 40});
  return {
      On("new flow of a peer", syn, Reason::forward_new, ToPeer(syn, kPeer1Hop0), Owners(kPeer1, kPeer2)),
      On("new flow of ours", syn, Reason::host_service, ToKernel(syn), Owners(kSelfSlot, kPeer2)),
      On("new flow of a peer over IPv6", syn6, Reason::forward_new, ToPeer(syn6, kPeer1Hop0), Owners(kPeer1, kPeer2)),
      On("new flow with extension headers", options6, Reason::forward_new, ToPeer(options6, kPeer1Hop0),
         Owners(kPeer1, kPeer2)),
      On("flow not in the table, of a peer", ack, Reason::forward_table, ToPeer(ack, kPeer1Hop0),
         Owners(kPeer1, kPeer2)),
      On("flow not in the table, ours now and a peer's before", ack, Reason::forward_second_chance,
         ToPeer(ack, kPeer2Hop1), Owners(kSelfSlot, kPeer2)),
      On("flow not in the table, ours now and before", ack, Reason::host_service, ToKernel(ack),
         Owners(kSelfSlot, kSelfSlot)),
      On("new flow of a node that is gone", syn, Reason::host_service, ToKernel(syn),
         [](Snapshot* s) {
           auto balance = std::make_shared<Balance>(*OneOwner(kPeer1, kPeer1));
           balance->nodes[kPeer1].present = false;
           s->balance = balance;
         }),
      On("ICMP error about a flow of a peer", error4, Reason::forward_error, ToPeer(error4, kPeer1Hop0),
         Owners(kPeer1, kPeer2)),
      On("ICMPv6 error about a flow of a peer", error6, Reason::forward_error, ToPeer(error6, kPeer1Hop0),
         Owners(kPeer1, kPeer2)),
      On("ICMP error that quotes too little", short_quote, Reason::host_service, ToKernel(short_quote),
         Owners(kPeer1, kPeer2)),
      On("port without a service", other_port, Reason::host_service, ToKernel(other_port), Owners(kPeer1, kPeer2)),
  };
}

std::vector<Case> OwnerCases() {
  const Bytes syn = Tcp4(kNodeMac, kSyn);
  const Bytes ack = Tcp4(kNodeMac, kAck);
  const Bytes last = Tcp4(kNodeMacHop1, kAck);
  const Bytes error = TooBig4(kNodeMac, Quote4());
  const Bytes later =
      Build(Ether{kNodeMac, kGatewayMac, 0x0800},
            Build(Ip4Header{.source = kClient4, .destination = kService4, .protocol = 17, .fragment = 8}, Bytes(3)));
  return {
      On("hop 0: new flow", syn, Reason::host_owner, syn, Member(kSelfSlot, kPeer2)),
      On("hop 0: new flow, whatever the table says", syn, Reason::host_owner, syn, Member(kPeer1, kPeer2)),
      On("hop 0: unknown flow, ours now and before", ack, Reason::host_owner, ack, Member(kSelfSlot, kSelfSlot)),
      On("hop 0: unknown flow, a peer's before", ack, Reason::forward_second_chance, ToPeer(ack, kPeer2Hop1),
         Member(kSelfSlot, kPeer2)),
      On("hop 1: unknown flow", last, Reason::host_second_chance, ToKernel(last), Member(kPeer1, kPeer2)),
      On("hop 0: ICMP error", error, Reason::host_owner, error, Member(kSelfSlot, kSelfSlot)),
      On("hop 0: later fragment", later, Reason::host_fragment, later, Member(kSelfSlot, kPeer2)),
      {.name = "hop 0: to a port without a service, not held",
       .in = Tcp4(kNodeMac, kSyn, kGatewayMac, 22),
       .reason = Reason::not_serving,
       .site = Member(kSelfSlot, kPeer2)},
      {.name = "hop 1: another address",
       .in = Build(Ether{kNodeMacHop1, kGatewayMac, 0x0800},
                   Build(Ip4Header{.source = kClient4, .destination = kNode4, .protocol = 6},
                         Tcp(kClient4, kNode4, 40000, 80, kSyn, {}))),
       .reason = Reason::not_service_address,
       .site = Member(kSelfSlot, kPeer2)},
  };
}

std::vector<Case> ReturnCases() {
  const Bytes reply = Reply4();
  const Bytes by_peer = Readdress(reply, kNodeMac, kPeer1Hop0);
  std::vector<Case> cases = {
      On("reply, directly", reply, Reason::lan_host, reply, Owners(kSelfSlot, kSelfSlot)),
      On("reply to the master", reply, Reason::return_to_master, ToPeer(reply, kPeer1Hop0), Returning(false)),
      On("reply to the master over IPv6", Reply6(), Reason::return_to_master, ToPeer(Reply6(), kPeer1Hop0),
         Returning(false)),
      On("reply of a port without a service", Reply4(kAck, 22), Reason::lan_host, Reply4(kAck, 22), Returning(false)),
      On("reply of the master itself", reply, Reason::return_service, Readdress(reply, kGatewayMac, kServiceMac4),
         Returning(true)),
  };
  for (Case& c : cases) c.direction = Direction::kFromHost;
  cases.push_back(On("peer's reply for the gateway", by_peer, Reason::return_service,
                     Readdress(reply, kGatewayMac, kServiceMac4), Returning(true)));
  cases.push_back({.name = "peer's reply, while we hold nothing",
                   .in = by_peer,
                   .reason = Reason::return_unwanted,
                   .site = Returning(false)});
  cases.push_back(On("stranger's frame from the service address", Readdress(reply, kNodeMac, kStrangerMac),
                     Reason::host_node, Readdress(reply, kNodeMac, kStrangerMac), Returning(true)));
  return cases;
}

}  // namespace

std::vector<Case> ForwardCases() {
  return Join({MasterCases(), OwnerCases(), ReturnCases()});
}

}  // namespace qure::testing
