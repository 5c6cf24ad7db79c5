#include "proto/net/arp.h"

namespace qure {
namespace {

constexpr uint16_t kHardwareEthernet = 1;

}  // namespace

ParseError ParseArp(ConstBytes payload, const ArpPacket** out) {
  const auto* arp = HeaderAt<ArpPacket>(payload, 0);
  if (arp == nullptr) return Reason::arp_truncated;
  // RFC 826, "Packet Reception": hardware, protocol and their lengths are checked before anything else.
  if (arp->hardware_type.value() != kHardwareEthernet || arp->protocol_type.value() != kEtherTypeIpv4 ||
      arp->hardware_length != sizeof(MacAddress) || arp->protocol_length != sizeof(Ipv4Address)) {
    return Reason::arp_malformed;
  }
  const uint16_t operation = arp->operation.value();
  if (operation != kArpRequest && operation != kArpReply) return Reason::arp_malformed;
  if (arp->sender_mac == kBroadcastMac || arp->sender_mac.is_zero()) return Reason::arp_sender_mismatch;
  *out = arp;
  return std::nullopt;
}

ArpFrame BuildArp(const ArpFields& fields) {
  ArpFrame frame{};
  auto* ethernet = MutableHeaderAt<EthernetHeader>(frame, 0);
  *ethernet = {fields.ethernet_destination, fields.ethernet_source, Be16(kEtherTypeArp)};
  auto* arp = MutableHeaderAt<ArpPacket>(frame, sizeof(EthernetHeader));
  *arp = {.hardware_type = Be16(kHardwareEthernet),
          .protocol_type = Be16(kEtherTypeIpv4),
          .hardware_length = sizeof(MacAddress),
          .protocol_length = sizeof(Ipv4Address),
          .operation = Be16(fields.operation),
          .sender_mac = fields.sender_mac,
          .sender_ip = fields.sender_ip,
          .target_mac = fields.target_mac,
          .target_ip = fields.target_ip};
  return frame;
}

}  // namespace qure
