#include "tests/packet/cases.h"

namespace qure::testing {

namespace {

constexpr uint8_t kSolicitation = 135;
constexpr uint8_t kAdvertisement = 136;
constexpr int kSourceOption = 1;
constexpr int kTargetOption = 2;
constexpr uint32_t kSolicitedOverride = 0x60000000;
constexpr uint32_t kOverride = 0x20000000;

const Ipv6Address kUnspecified{};
const Ipv6Address kSolicitedNode50 = Ip6("ff02::1:ff00:50");
const Ipv6Address kSolicitedNode51 = Ip6("ff02::1:ff00:51");
const MacAddress kSolicitedMac50 = Mac("33:33:ff:00:00:50");
const MacAddress kSolicitedMac51 = Mac("33:33:ff:00:00:51");

struct Message {
  MacAddress to;
  MacAddress from;
  Ipv6Address source;
  Ipv6Address destination;
  uint8_t type;
  Bytes body;
  uint8_t hop_limit = 255;
  uint8_t code = 0;
};

Bytes Frame(const Message& m) {
  return Build(Ether{m.to, m.from, 0x86dd}, Build(Ip6Header{m.source, m.destination, 58, m.hop_limit},
                                                  Icmp6(m.source, m.destination, m.type, m.code, m.body)));
}

Event Seen(EventKind kind, const MacAddress& mac, const Ipv6Address& ip, const MacAddress& to = {}) {
  return {.kind = kind, .mac = mac, .to = to, .ip = ip};
}

const Message kWhoHas = {kSolicitedMac50,  kGatewayMac,   kGateway6,
                         kSolicitedNode50, kSolicitation, NeighborBody(0, kService6, kSourceOption, kGatewayMac)};

Bytes IsAt(const MacAddress& to, const Ipv6Address& destination) {
  return Frame({to, kServiceMac6, kService6, destination, kAdvertisement,
                NeighborBody(kSolicitedOverride, kService6, kTargetOption, kServiceMac6)});
}

// Questions about our addresses.
std::vector<Case> Asked() {
  Message unicast = kWhoHas;
  unicast.to = kServiceMac6;
  unicast.destination = kService6;
  unicast.body = NeighborBody(0, kService6, 0, {});
  Message idle = kWhoHas;
  idle.to = kSolicitedMac51;
  idle.destination = kSolicitedNode51;
  idle.body = NeighborBody(0, kIdle6, kSourceOption, kGatewayMac);
  // The same solicitation behind eight bytes of hop-by-hop options.
  const Bytes icmp = Icmp6(kGateway6, kSolicitedNode50, kSolicitation, 0, kWhoHas.body);
  const Bytes with_options =
      Build(Ether{kSolicitedMac50, kGatewayMac, 0x86dd},
            Build(Ip6Header{kGateway6, kSolicitedNode50, 0, 255}, Concat({{58, 0, 1, 4, 0, 0, 0, 0}, icmp})));
  return {
      {"solicitation", Frame(kWhoHas), Reason::neighbor_advertisement, IsAt(kGatewayMac, kGateway6)},
      {"unicast solicitation without option", Frame(unicast), Reason::neighbor_advertisement,
       IsAt(kGatewayMac, kGateway6)},
      {"solicitation behind hop-by-hop options", with_options, Reason::neighbor_advertisement,
       IsAt(kGatewayMac, kGateway6)},
      {"duplicate address detection against a held address",
       Frame({kSolicitedMac50, kStrangerMac, kUnspecified, kSolicitedNode50, kSolicitation,
              NeighborBody(0, kService6, 0, {})}),
       Reason::neighbor_advertisement,
       Frame({Mac("33:33:00:00:00:01"), kServiceMac6, kService6, Ip6("ff02::1"), kAdvertisement,
              NeighborBody(kOverride, kService6, kTargetOption, kServiceMac6)}),
       {Seen(EventKind::kAddressProbed, kStrangerMac, kService6)}},
      {"duplicate address detection for an address that is not held",
       Frame({kSolicitedMac51, kStrangerMac, kUnspecified, kSolicitedNode51, kSolicitation,
              NeighborBody(0, kIdle6, 0, {})}),
       Reason::nd_noted,
       std::nullopt,
       {Seen(EventKind::kAddressProbed, kStrangerMac, kIdle6)}},
      {"solicitation for an address that is not held",
       Frame(idle),
       Reason::not_serving,
       std::nullopt,
       {Seen(EventKind::kAddressWanted, kGatewayMac, kIdle6)}},
  };
}

// What others say of our addresses, and the gateway of itself.
std::vector<Case> Noted() {
  return {
      {"advertisement by another host",
       Frame({Mac("33:33:00:00:00:01"), kStrangerMac, kService6, Ip6("ff02::1"), kAdvertisement,
              NeighborBody(kOverride, kService6, kTargetOption, kStrangerMac)}),
       Reason::nd_noted,
       std::nullopt,
       {Seen(EventKind::kAddressUsed, kStrangerMac, kService6)}},
      {"another host solicits as the service address",
       Frame({Mac("33:33:ff:00:00:01"), kStrangerMac, kIdle6, Ip6("ff02::1:ff00:1"), kSolicitation,
              NeighborBody(0, kGateway6, kSourceOption, kStrangerMac)}),
       Reason::nd_noted,
       std::nullopt,
       {Seen(EventKind::kAddressUsed, kStrangerMac, kIdle6)}},
      {"another host names the service MAC, and sends from its own",
       Frame({kNodeMac, kStrangerMac, kIdle6, kNode6, kAdvertisement,
              NeighborBody(kSolicitedOverride, kIdle6, kTargetOption, kIdleMac6)}),
       Reason::nd_noted,
       std::nullopt,
       {Seen(EventKind::kAddressUsed, kStrangerMac, kIdle6)}},
      {"gateway verifies: advertisement to the service MAC",
       Frame({kServiceMac6, kGatewayMac, kGateway6, kService6, kAdvertisement,
              NeighborBody(kSolicitedOverride, kGateway6, kTargetOption, kGatewayMac)}),
       Reason::nd_noted,
       std::nullopt,
       {Seen(EventKind::kNeighbor, kGatewayMac, kGateway6, kServiceMac6)}},
  };
}

// Who says that it is the gateway, without an answer to anyone of us.
std::vector<Case> Hints() {
  const Event hint = Seen(EventKind::kGatewayHint, kStrangerMac, kGateway6);
  const Bytes body = NeighborBody(kOverride, kGateway6, kTargetOption, kStrangerMac);
  const Bytes to_all = Frame({Mac("33:33:00:00:00:01"), kStrangerMac, kGateway6, Ip6("ff02::1"), kAdvertisement, body});
  const Bytes unsolicited = Frame({kNodeMac, kStrangerMac, kGateway6, kNode6, kAdvertisement, body});
  return {
      {"advertisement to all as the gateway", to_all, Reason::host_group, to_all, {hint}},
      {"advertisement to the node that nobody solicited", unsolicited, Reason::host_node, unsolicited, {hint}},
  };
}

// What concerns the node and not the service.
std::vector<Case> Unrelated() {
  const Bytes for_node = Frame({kSolicitedMac50, kGatewayMac, kGateway6, Ip6("ff02::1:ff00:11"), kSolicitation,
                                NeighborBody(0, kNode6, kSourceOption, kGatewayMac)});
  const Bytes gateway_to_node = Frame({kNodeMac, kGatewayMac, kGateway6, kNode6, kAdvertisement,
                                       NeighborBody(kSolicitedOverride, kGateway6, kTargetOption, kGatewayMac)});
  return {
      {"gateway answers the node",
       gateway_to_node,
       Reason::host_node,
       gateway_to_node,
       {Seen(EventKind::kNeighbor, kGatewayMac, kGateway6, kNodeMac)}},
      {"solicitation for the node's own address", for_node, Reason::host_group, for_node},
      {.name = "shared: solicitation for the node is the kernel's",
       .in = for_node,
       .reason = Reason::kernel_owned,
       .site = Shared},
  };
}

std::vector<Case> Faults() {
  Message low_hops = kWhoHas;
  low_hops.hop_limit = 254;
  Message coded = kWhoHas;
  coded.code = 1;
  Message group_target = kWhoHas;
  group_target.body = NeighborBody(0, Ip6("ff02::50"), kSourceOption, kGatewayMac);
  Message zero_option = kWhoHas;
  zero_option.body[21] = 0;
  Bytes bad_checksum = Frame(kWhoHas);
  bad_checksum[14 + 40 + 2] ^= 1;
  return {
      {"hop limit 254", Frame(low_hops), Reason::nd_malformed},
      {"code 1", Frame(coded), Reason::nd_malformed},
      {"target is a group", Frame(group_target), Reason::nd_malformed},
      {"option of length zero", Frame(zero_option), Reason::nd_malformed},
      {"checksum wrong", bad_checksum, Reason::icmp_checksum},
  };
}

}  // namespace

std::vector<Case> NeighborCases() {
  return Join({Asked(), Noted(), Hints(), Unrelated(), Faults()});
}

}  // namespace qure::testing
