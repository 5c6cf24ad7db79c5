#include "tests/packet/cases.h"

namespace qure::testing {

namespace {

constexpr uint16_t kRequest = 1;
constexpr uint16_t kReply = 2;
const MacAddress kZero{};

Bytes Frame(const MacAddress& destination, const MacAddress& source, const Arp& arp) {
  return Pad(Build(Ether{destination, source, 0x0806}, Build(arp)));
}

Event Seen(EventKind kind, const MacAddress& mac, const Ipv4Address& ip, bool to_service_mac = false) {
  return {.kind = kind, .mac = mac, .to_service_mac = to_service_mac, .ip = ip};
}

}  // namespace

std::vector<Case> ArpCases() {
  const Bytes who_has = Frame(kBroadcastMac, kGatewayMac, {kRequest, kGatewayMac, kGateway4, kZero, kService4});
  const Bytes is_at = Frame(kGatewayMac, kServiceMac4, {kReply, kServiceMac4, kService4, kGatewayMac, kGateway4});
  const Bytes probe = Frame(kBroadcastMac, kStrangerMac, {kRequest, kStrangerMac, {}, kZero, kService4});
  const Bytes idle_probe = Frame(kBroadcastMac, kStrangerMac, {kRequest, kStrangerMac, {}, kZero, kIdle4});
  const Bytes to_node = Frame(kBroadcastMac, kStrangerMac, {kRequest, kStrangerMac, kClient4, kZero, kNode4});
  const Bytes from_gateway_to_node = Frame(kNodeMac, kGatewayMac, {kReply, kGatewayMac, kGateway4, kNodeMac, kNode4});
  Bytes ethertype_in_protocol = who_has;
  PutBe16(&ethertype_in_protocol, 16, 0x86dd);
  Bytes unknown_operation = who_has;
  PutBe16(&unknown_operation, 20, 3);
  Bytes group_sender = who_has;
  group_sender[22] = 0x01;

  return {
      {"request for the service address",
       who_has,
       Reason::arp_reply,
       is_at,
       {Seen(EventKind::kNeighbor, kGatewayMac, kGateway4)}},
      {"unicast refresh by the gateway",
       Frame(kServiceMac4, kGatewayMac, {kRequest, kGatewayMac, kGateway4, kZero, kService4}),
       Reason::arp_reply,
       is_at,
       {Seen(EventKind::kNeighbor, kGatewayMac, kGateway4, true)}},
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
       Frame(kBroadcastMac, kStrangerMac, {kRequest, kStrangerMac, kClient4, kZero, kIdle4}), Reason::not_serving},
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
      {"gateway verifies: reply to the service MAC",
       Frame(kServiceMac4, kGatewayMac, {kReply, kGatewayMac, kGateway4, kServiceMac4, kService4}),
       Reason::arp_noted,
       std::nullopt,
       {Seen(EventKind::kNeighbor, kGatewayMac, kGateway4, true)}},
      {"reply to a service address from elsewhere",
       Frame(kServiceMac4, kStrangerMac, {kReply, kStrangerMac, kClient4, kServiceMac4, kService4}), Reason::arp_noted},
      {"broadcast for the node's own address", to_node, Reason::host_group, to_node},
      {"reply to the node",
       from_gateway_to_node,
       Reason::host_node,
       from_gateway_to_node,
       {Seen(EventKind::kNeighbor, kGatewayMac, kGateway4)}},
      {.name = "shared: broadcast for the node is the kernel's",
       .in = to_node,
       .reason = Reason::kernel_owned,
       .site = Shared},
      {"unrelated unicast to a service MAC",
       Frame(kServiceMac4, kStrangerMac, {kRequest, kStrangerMac, kClient4, kZero, kNode4}),
       Reason::not_service_address},
      {"other protocol type", ethertype_in_protocol, Reason::arp_malformed},
      {"unknown operation", unknown_operation, Reason::arp_malformed},
      {"sender MAC is a group", group_sender, Reason::arp_sender_mismatch},
      {"27 bytes", Bytes(who_has.begin(), who_has.begin() + 14 + 27), Reason::arp_truncated},
      {"28 bytes, not padded",
       Bytes(who_has.begin(), who_has.begin() + 14 + 28),
       Reason::arp_reply,
       Bytes(is_at.begin(), is_at.begin() + 14 + 28),
       {Seen(EventKind::kNeighbor, kGatewayMac, kGateway4)}},
  };
}

}  // namespace qure::testing
