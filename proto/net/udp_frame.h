// Whole UDP frames: Ethernet, IPv4 and UDP around a payload, for messages between the nodes of a cluster.
#pragma once

#include <cstddef>
#include <cstdint>

#include "proto/bytes.h"
#include "proto/net/address.h"

namespace qure {

inline constexpr size_t kUdpFrameHeaders = 14 + 20 + 8;
// The time to live of what is for the link alone: nobody behind a router can send it (RFC 5082 §3).
inline constexpr uint8_t kUnroutedHops = 255;
inline constexpr Ipv4Address kLimitedBroadcast{{255, 255, 255, 255}};  // RFC 1122 §3.2.1.3 (c)

struct UdpFields {
  MacAddress ethernet_source;
  MacAddress ethernet_destination;
  Ipv4Address source;
  Ipv4Address destination;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
};

// The MAC that a frame to `destination` goes to if it is a group or the limited broadcast address; otherwise `unicast`.
MacAddress DestinationMac(const Ipv4Address& destination, const MacAddress& unicast = {});

// An untagged frame around `payload`, time to live kUnroutedHops, checksums filled in. `out` has kUdpFrameHeaders +
// payload.size() bytes, and at most 65,535 behind the Ethernet header.
void WriteUdpFrame(const UdpFields& fields, ConstBytes payload, MutableBytes out);

}  // namespace qure
