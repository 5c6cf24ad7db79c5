// ICMP (RFC 792) and ICMPv6 (RFC 4443): what they share.
#pragma once

#include <cstdint>

#include "proto/endian.h"

namespace qure {

inline constexpr uint8_t kIcmpEchoReply = 0;
inline constexpr uint8_t kIcmpEchoRequest = 8;
inline constexpr uint8_t kIcmpv6EchoRequest = 128;
inline constexpr uint8_t kIcmpv6EchoReply = 129;

struct IcmpHeader {
  uint8_t type;
  uint8_t code;
  Be16 checksum;
};
static_assert(sizeof(IcmpHeader) == 4);

}  // namespace qure
