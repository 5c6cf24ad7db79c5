// IPv4 (RFC 791) and IPv6 (RFC 8200) headers, fragments and extension headers included.
#pragma once

#include <cstdint>

#include "proto/bytes.h"
#include "proto/endian.h"
#include "proto/net/address.h"

namespace qure {

inline constexpr uint8_t kProtocolIcmp = 1;
inline constexpr uint8_t kProtocolTcp = 6;
inline constexpr uint8_t kProtocolUdp = 17;
inline constexpr uint8_t kProtocolIcmpv6 = 58;
inline constexpr uint8_t kProtocolNone = 59;  // RFC 8200 §4.7

struct Ipv4Header {
  uint8_t version_ihl;
  uint8_t type_of_service;
  Be16 total_length;
  Be16 identification;
  Be16 fragment;  // flags 3 bits, offset 13 bits in units of 8 bytes
  uint8_t time_to_live;
  uint8_t protocol;
  Be16 checksum;
  Ipv4Address source;
  Ipv4Address destination;

  uint16_t header_length() const { return static_cast<uint16_t>((version_ihl & 0x0f) * 4); }
  bool is_fragment() const { return (fragment.value() & 0x3fff) != 0; }  // more-fragments bit or an offset
  uint16_t fragment_offset() const { return static_cast<uint16_t>((fragment.value() & 0x1fff) * 8); }
};
static_assert(sizeof(Ipv4Header) == 20);

struct Ipv6Header {
  Be32 version_class_flow;
  Be16 payload_length;
  uint8_t next_header;
  uint8_t hop_limit;
  Ipv6Address source;
  Ipv6Address destination;
};
static_assert(sizeof(Ipv6Header) == 40);

// Where the transport payload of an IP packet is and what it is. All offsets are from the first byte given to the
// parser.
struct IpView {
  uint16_t transport = 0;       // offset of the transport header; 0 in a later fragment, which has none
  uint16_t end = 0;             // offset behind the packet; what follows is link-layer padding
  uint8_t protocol = 0;         // of the transport: for IPv6 behind the extension headers
  bool fragment = false;        // has a fragment header, or is an IPv4 fragment
  bool first_fragment = false;  // the transport header is there only in the first
  bool atomic = false;          // the first and only fragment: the whole packet (RFC 6946 §2)
  uint32_t fragment_id = 0;     // identification of the fragmented packet
  bool options = false;         // IPv4 options or IPv6 extension headers other than a fragment header

  bool partial() const { return fragment && !atomic; }
};

// A later fragment is sound but has no transport header: its view has transport 0.
// Errors: ip4_truncated, ip4_version, ip4_header_length, ip4_total_length, ip4_checksum (unless `checksum_verified`:
// the port did it), ip4_source.
ParseError ParseIpv4(ConstBytes packet, bool checksum_verified, IpView* out);

// Walks hop-by-hop, routing, fragment, destination and authentication headers, at most kMaxExtensionHeaders of them. A
// later fragment ends the walk: its view has transport 0, and as protocol what the fragment header names, which may be
// an extension header. Errors: ip6_truncated, ip6_version, ip6_payload_length, ip6_extension, ip6_source.
inline constexpr int kMaxExtensionHeaders = 8;
ParseError ParseIpv6(ConstBytes packet, IpView* out);
// The walk alone, from the header at view->transport on, `packet` ending where it may be read to.
ParseError WalkExtensionHeaders(ConstBytes packet, IpView* view);

}  // namespace qure
