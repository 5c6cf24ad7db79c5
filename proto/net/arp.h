// ARP for IPv4 over Ethernet (RFC 826), and the forms RFC 5227 gives it.
#pragma once

#include <array>
#include <cstdint>

#include "proto/bytes.h"
#include "proto/endian.h"
#include "proto/net/address.h"
#include "proto/net/ethernet.h"

namespace qure {

inline constexpr uint16_t kArpRequest = 1;
inline constexpr uint16_t kArpReply = 2;

struct ArpPacket {
  Be16 hardware_type;
  Be16 protocol_type;
  uint8_t hardware_length;
  uint8_t protocol_length;
  Be16 operation;
  MacAddress sender_mac;
  Ipv4Address sender_ip;
  MacAddress target_mac;
  Ipv4Address target_ip;

  bool is_request() const { return operation.value() == kArpRequest; }
  bool is_probe() const { return is_request() && sender_ip.is_zero(); }  // RFC 5227 §1.1
  bool is_announcement() const { return sender_ip == target_ip; }        // RFC 5227 §1.1, request or reply form
};
static_assert(sizeof(ArpPacket) == 28);

// The ARP packet in `payload` (the bytes behind the Ethernet header). Errors: arp_truncated, arp_malformed,
// arp_sender_mismatch.
ParseError ParseArp(ConstBytes payload, const ArpPacket** out);

// A whole untagged frame, padded to the minimum length.
using ArpFrame = std::array<uint8_t, kMinimumFrame>;

struct ArpFields {
  uint16_t operation = kArpRequest;
  MacAddress ethernet_source;
  MacAddress ethernet_destination = kBroadcastMac;
  MacAddress sender_mac;
  Ipv4Address sender_ip;
  MacAddress target_mac;
  Ipv4Address target_ip;
};
ArpFrame BuildArp(const ArpFields& fields);

}  // namespace qure
