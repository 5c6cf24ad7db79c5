// IPv6 neighbor discovery (RFC 4861) as far as holding an address needs it: solicitations and advertisements.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "proto/bytes.h"
#include "proto/endian.h"
#include "proto/net/address.h"
#include "proto/net/ip.h"

namespace qure {

inline constexpr uint8_t kIcmpv6RouterSolicitation = 133;
inline constexpr uint8_t kIcmpv6Redirect = 137;  // 133 … 137 are neighbor discovery
inline constexpr uint8_t kNeighborSolicitation = 135;
inline constexpr uint8_t kNeighborAdvertisement = 136;

inline constexpr uint32_t kNaRouter = 0x80000000;
inline constexpr uint32_t kNaSolicited = 0x40000000;
inline constexpr uint32_t kNaOverride = 0x20000000;

// Common to both messages (RFC 4861 §§4.3, 4.4).
struct NeighborMessage {
  uint8_t type;
  uint8_t code;
  Be16 checksum;
  Be32 flags;  // reserved in a solicitation
  Ipv6Address target;
};
static_assert(sizeof(NeighborMessage) == 24);

struct LinkLayerOption {
  uint8_t type;    // 1 source, 2 target
  uint8_t length;  // in units of 8 bytes: 1 for Ethernet
  MacAddress mac;
};
static_assert(sizeof(LinkLayerOption) == 8);

struct NeighborView {
  const NeighborMessage* message = nullptr;
  std::optional<MacAddress> link_layer;  // source option of a solicitation, target option of an advertisement
  bool dad = false;                      // a solicitation from :: (RFC 4862 §5.4)
};

// `icmp` is the ICMPv6 message within its packet. Checks RFC 4861 §7.1.1 and §7.1.2: hop limit 255, code 0, length,
// target not multicast, option lengths above zero, and for a solicitation from :: the solicited-node destination and no
// source option. The caller verifies the checksum. Errors: nd_malformed.
ParseError ParseNeighbor(const Ipv6Header& ip, ConstBytes icmp, NeighborView* out);

// Whole untagged frames: Ethernet, IPv6 and a message with one link-layer option (or none for DAD), checksum filled in.
using NeighborFrame = std::array<uint8_t, 14 + sizeof(Ipv6Header) + sizeof(NeighborMessage) + sizeof(LinkLayerOption)>;

struct NeighborFields {
  MacAddress ethernet_source;
  MacAddress ethernet_destination;
  Ipv6Address source;
  Ipv6Address destination;
  Ipv6Address target;
  uint32_t flags = 0;     // of an advertisement
  MacAddress link_layer;  // value of the option
};
// The frame length is that of NeighborFrame, or 8 less for a solicitation from ::, which carries no option.
size_t BuildNeighborSolicitation(const NeighborFields& fields, NeighborFrame* out);
size_t BuildNeighborAdvertisement(const NeighborFields& fields, NeighborFrame* out);

}  // namespace qure
