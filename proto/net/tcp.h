// TCP (RFC 9293): the fixed header, as far as a forwarder looks at it.
#pragma once

#include <cstdint>

#include "proto/bytes.h"
#include "proto/endian.h"

namespace qure {

inline constexpr uint8_t kTcpFin = 0x01;
inline constexpr uint8_t kTcpSyn = 0x02;
inline constexpr uint8_t kTcpRst = 0x04;
inline constexpr uint8_t kTcpAck = 0x10;

struct TcpHeader {
  Be16 source_port;
  Be16 destination_port;
  Be32 sequence;
  Be32 acknowledgment;
  uint8_t data_offset;  // upper 4 bits, in units of 4 bytes
  uint8_t flags;
  Be16 window;
  Be16 checksum;
  Be16 urgent;

  size_t header_length() const { return static_cast<size_t>(data_offset >> 4) * 4; }
};
static_assert(sizeof(TcpHeader) == 20);

// `segment` is the IP payload. Errors: tcp_truncated (RFC 9293 §3.1: data offset below 5 or beyond the segment).
ParseError ParseTcp(ConstBytes segment, const TcpHeader** out);

}  // namespace qure
