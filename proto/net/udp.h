// UDP (RFC 768).
#pragma once

#include <cstdint>

#include "proto/bytes.h"
#include "proto/endian.h"

namespace qure {

struct UdpHeader {
  Be16 source_port;
  Be16 destination_port;
  Be16 length;  // header included
  Be16 checksum;
};
static_assert(sizeof(UdpHeader) == 8);

// `segment` is the IP payload, without link-layer padding. The caller verifies the checksum. Errors: udp_truncated,
// udp_length.
ParseError ParseUdp(ConstBytes segment, const UdpHeader** out);

}  // namespace qure
