#include "tests/packet/cases.h"

namespace qure::testing {

namespace {

constexpr uint16_t kRequest = 1;
constexpr uint16_t kReply = 2;
const MacAddress kZero{};

Bytes Frame(const MacAddress& destination, const MacAddress& source, const Arp& arp) {
  return Pad(Build(Ether{destination, source, 0x0806}, Build(arp)));
}

Event Seen(EventKind kind, const MacAddress& mac, const Ipv4Address& ip, const MacAddress& to = {}) {
  return {.kind = kind, .mac = mac, .to = to, .ip = ip};
}

void GatewayKnown(Snapshot* s) {
  s->gateway_mac_v4 = kGatewayMac;
}

const Bytes kWhoHas = Frame(kBroadcastMac, kGatewayMac, {kRequest, kGatewayMac, kGateway4, kZero, kService4});
const Bytes kIsAt = Frame(kGatewayMac, kServiceMac4, {kReply, kServiceMac4, kService4, kGatewayMac, kGateway4});

// Questions about our addresses.
std::vector<Case> Asked() {
  const Bytes probe = Frame(kBroadcastMac, kStrangerMac, {kRequest, kStrangerMac, {}, kZero, kService4});
  const Bytes idle_probe = Frame(kBroadcastMac, kStrangerMac, {kRequest, kStrangerMac, {}, kZero, kIdle4});
  return {
      {"request for the service address",
       kWhoHas,
       Reason::arp_reply,
       kIsAt,
       {Seen(EventKind::kGatewayHint, kGatewayMac, kGateway4)}},
      {.name = "request for the service address by the gateway, from where it is known to be",
       .in = kWhoHas,
       .reason = Reason::arp_reply,
       .out = kIsAt,
       .site = GatewayKnown},
      {"unicast refresh by the gateway",
       Frame(kServiceMac4, kGatewayMac, {kRequest, kGatewayMac, kGateway4, kZero, kService4}),
       Reason::arp_reply,
       kIsAt,
       {Seen(EventKind::kGatewayHint, kGatewayMac, kGateway4)}},
      {"request by a stranger is answered too",
       Frame(kBroadcastMac, kStrangerMac, {kRequest, kStrangerMac, kClient4, kZero, kService4}), Reason::arp_reply,
       Frame(kStrangerMac, kServiceMac4, {kReply, kServiceMac4, kService4, kStrangerMac, kClient4})},
      {"probe for a held address is answered",
       probe,
       Reason::arp_reply,
       Frame(kStrangerMac, kServiceMac4, {kReply, kServiceMac4, kService4, kStrangerMac, {}}),
       {Seen(EventKind::kAddressProbed, kStrangerMac, kService4)}},
      {"probe for an address that is not held is noted",
       idle_probe,
       Reason::arp_noted,
       std::nullopt,
       {Seen(EventKind::kAddressProbed, kStrangerMac, kIdle4)}},
      {"request for an address that is not held",
       Frame(kBroadcastMac, kStrangerMac, {kRequest, kStrangerMac, kClient4, kZero, kIdle4}),
       Reason::not_serving,
       std::nullopt,
       {Seen(EventKind::kAddressWanted, kStrangerMac, kIdle4)}},
  };
}

// What others say of our addresses, and the gateway of itself.
std::vector<Case> Noted() {
  return {
      {"announcement by another host",
       Frame(kBroadcastMac, kStrangerMac, {kRequest, kStrangerMac, kService4, kZero, kService4}),
       Reason::arp_noted,
       std::nullopt,
       {Seen(EventKind::kAddressUsed, kStrangerMac, kService4)}},
      {"gratuitous reply by another host",
       Frame(kBroadcastMac, kStrangerMac, {kReply, kStrangerMac, kService4, kBroadcastMac, kService4}),
       Reason::arp_noted,
       std::nullopt,
       {Seen(EventKind::kAddressUsed, kStrangerMac, kService4)}},
      {"another host asks as the service address",
       Frame(kBroadcastMac, kStrangerMac, {kRequest, kStrangerMac, kIdle4, kZero, kGateway4}),
       Reason::arp_noted,
       std::nullopt,
       {Seen(EventKind::kAddressUsed, kStrangerMac, kIdle4)}},
      {"another host names the service MAC, and sends from its own",
       Frame(kNodeMac, kStrangerMac, {kReply, kIdleMac4, kIdle4, kNodeMac, kNode4}),
       Reason::arp_noted,
       std::nullopt,
       {Seen(EventKind::kAddressUsed, kStrangerMac, kIdle4)}},
      {"another node of the cluster answers",
       Frame(kNodeMac, kIdleMac4, {kReply, kIdleMac4, kIdle4, kNodeMac, kNode4}),
       Reason::arp_noted,
       std::nullopt,
       {Seen(EventKind::kServiceMacSeen, kIdleMac4, kIdle4), Seen(EventKind::kAddressUsed, kIdleMac4, kIdle4)}},
      {.name = "shared: another node of the cluster answers a question of the kernel's address",
       .in = Frame(kLanMac, kIdleMac4, {kReply, kIdleMac4, kIdle4, kLanMac, kNode4}),
       .reason = Reason::arp_noted,
       .events = {Seen(EventKind::kServiceMacSeen, kIdleMac4, kIdle4),
                  Seen(EventKind::kAddressUsed, kIdleMac4, kIdle4)},
       .site = SharedWithAddress},
      {"gateway verifies: reply to the service MAC",
       Frame(kServiceMac4, kGatewayMac, {kReply, kGatewayMac, kGateway4, kServiceMac4, kService4}),
       Reason::arp_noted,
       std::nullopt,
       {Seen(EventKind::kNeighbor, kGatewayMac, kGateway4, kServiceMac4)}},
      {"reply to a service address from elsewhere",
       Frame(kServiceMac4, kStrangerMac, {kReply, kStrangerMac, kClient4, kServiceMac4, kService4}), Reason::arp_noted},
  };
}

// Who says that it is the gateway, without an answer to anyone of us.
std::vector<Case> Hints() {
  const Bytes gateway_answers = Frame(kLanMac, kGatewayMac, {kReply, kGatewayMac, kGateway4, kLanMac, kNode4});
  const Bytes neighbor_answers = Frame(kLanMac, kStrangerMac, {kReply, kStrangerMac, kClient4, kLanMac, kNode4});
  const Event hint = Seen(EventKind::kGatewayHint, kStrangerMac, kGateway4);
  const Bytes announcement = Frame(kBroadcastMac, kStrangerMac, {kRequest, kStrangerMac, kGateway4, kZero, kGateway4});
  const Bytes reply = Frame(kBroadcastMac, kStrangerMac, {kReply, kStrangerMac, kGateway4, kBroadcastMac, kGateway4});
  const Bytes unicast = Frame(kNodeMac, kStrangerMac, {kReply, kStrangerMac, kGateway4, kNodeMac, kGateway4});
  return {
      {"announcement as the gateway", announcement, Reason::host_group, announcement, {hint}},
      {"gratuitous reply as the gateway", reply, Reason::host_group, reply, {hint}},
      {"the same to the node alone", unicast, Reason::host_node, unicast, {hint}},
      {.name = "shared: the gateway answers a question of the kernel's address",
       .in = gateway_answers,
       .reason = Reason::host_node,
       .out = ToKernel(gateway_answers),
       .events = {Seen(EventKind::kNeighbor, kGatewayMac, kGateway4, kLanMac)},
       .site = SharedWithAddress},
      {.name = "shared: a neighbor answers a question of the kernel's address",
       .in = neighbor_answers,
       .reason = Reason::host_node,
       .out = ToKernel(neighbor_answers),
       .site = SharedWithAddress},
      {.name = "shared: a request to the kernel",
       .in = Frame(kLanMac, kStrangerMac, {kRequest, kStrangerMac, kClient4, kZero, kNode4}),
       .reason = Reason::kernel_owned,
       .site = SharedWithAddress},
  };
}

// Whether anyone is there at all, when a node asks.
std::vector<Case> Heard() {
  const Bytes broadcast = Frame(kBroadcastMac, kStrangerMac, {kRequest, kStrangerMac, kClient4, kZero, kGateway4});
  const auto listens = [](Snapshot* s) { s->reports_lan = true; };
  return {
      {.name = "a host asks for another one, while the node wants to know",
       .in = broadcast,
       .reason = Reason::host_group,
       .out = broadcast,
       .events = {{.kind = EventKind::kLanHeard}},
       .site = listens},
      {"a host asks for another one", broadcast, Reason::host_group, broadcast},
  };
}

// What concerns the node and not the service.
std::vector<Case> Unrelated() {
  const Bytes to_node = Frame(kBroadcastMac, kStrangerMac, {kRequest, kStrangerMac, kClient4, kZero, kNode4});
  const Bytes from_gateway_to_node = Frame(kNodeMac, kGatewayMac, {kReply, kGatewayMac, kGateway4, kNodeMac, kNode4});
  const Bytes twin = Frame(kBroadcastMac, kStrangerMac, {kRequest, kStrangerMac, kNode4, kZero, kNode4});
  return {
      {"another host announces the node's own address",
       twin,
       Reason::host_group,
       twin,
       {Seen(EventKind::kNodeAddressUsed, kStrangerMac, kNode4)}},
      {"broadcast for the node's own address", to_node, Reason::host_group, to_node},
      {"reply to the node",
       from_gateway_to_node,
       Reason::host_node,
       from_gateway_to_node,
       {Seen(EventKind::kNeighbor, kGatewayMac, kGateway4, kNodeMac)}},
      {.name = "shared: broadcast for the node is the kernel's",
       .in = to_node,
       .reason = Reason::kernel_owned,
       .site = Shared},
      {"unrelated unicast to a service MAC",
       Frame(kServiceMac4, kStrangerMac, {kRequest, kStrangerMac, kClient4, kZero, kNode4}),
       Reason::not_service_address},
  };
}

std::vector<Case> Faults() {
  Bytes ethertype_in_protocol = kWhoHas;
  PutBe16(&ethertype_in_protocol, 16, 0x86dd);
  Bytes unknown_operation = kWhoHas;
  PutBe16(&unknown_operation, 20, 3);
  Bytes group_sender = kWhoHas;
  group_sender[22] = 0x01;
  return {
      {"other protocol type", ethertype_in_protocol, Reason::arp_malformed},
      {"unknown operation", unknown_operation, Reason::arp_malformed},
      {"sender MAC is a group", group_sender, Reason::arp_sender_mismatch},
      {"27 bytes", Bytes(kWhoHas.begin(), kWhoHas.begin() + 14 + 27), Reason::arp_truncated},
      {"28 bytes, not padded",
       Bytes(kWhoHas.begin(), kWhoHas.begin() + 14 + 28),
       Reason::arp_reply,
       Bytes(kIsAt.begin(), kIsAt.begin() + 14 + 28),
       {Seen(EventKind::kGatewayHint, kGatewayMac, kGateway4)}},
  };
}

}  // namespace

std::vector<Case> ArpCases() {
  return Join({Asked(), Noted(), Hints(), Heard(), Unrelated(), Faults()});
}

}  // namespace qure::testing
