// ICMP errors (RFC 792, RFC 4443 §3): which flow they are about, from the start of the packet that they quote.
#pragma once

#include <cstdint>
#include <optional>

#include "proto/bytes.h"
#include "proto/endian.h"
#include "proto/net/address.h"

namespace qure {

// Destination unreachable, packet too big, time exceeded, parameter problem; not redirects, which are the link's
// affair.
bool IsIcmpError(bool is_v6, uint8_t type);

// A flow as the quoted packet names it: it was on its way from us to the remote host.
struct QuotedFlow {
  IpAddress source;
  IpAddress destination;
  uint8_t protocol = 0;  // TCP or UDP
  Be16 source_port;
  Be16 destination_port;
};

// `icmp`: the message from its type on, to the end of the packet. Eight bytes behind the quoted IP header suffice
// (RFC 792; RFC 1812 §4.3.2.3). Nothing if the quote is too short, not of a TCP or UDP flow, or of a later fragment.
std::optional<QuotedFlow> ParseQuotedFlow(ConstBytes icmp, bool is_v6);

}  // namespace qure
