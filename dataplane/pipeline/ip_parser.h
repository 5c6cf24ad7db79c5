// Parses the IP packet of a frame, with offsets that count from the start of the frame.
#pragma once

#include "dataplane/pipeline/frame.h"
#include "proto/bytes.h"
#include "proto/net/ip.h"

namespace qure {

// Parses the packet at parsed->network, and fills is_v6, transport and end of `parsed`. `view` is ParseIpv4's or
// ParseIpv6's, with offsets in the frame. It comes empty, and stays so after an error in an IPv4 header.
inline ParseError ParseIpPacket(ConstBytes frame, bool is_v6, bool checksum_verified, Parsed* parsed, IpView* view) {
  const ConstBytes packet = frame.subspan(parsed->network);
  const ParseError error = is_v6 ? ParseIpv6(packet, view) : ParseIpv4(packet, checksum_verified, view);
  if (view->transport != 0) view->transport = static_cast<uint16_t>(view->transport + parsed->network);
  view->end = static_cast<uint16_t>(view->end + parsed->network);
  parsed->transport = view->transport;
  parsed->end = view->end;
  parsed->is_v6 = is_v6;
  return error;
}

}  // namespace qure
