#include "proto/net/udp.h"

namespace qure {

ParseError ParseUdp(ConstBytes segment, const UdpHeader** out) {
  const auto* udp = HeaderAt<UdpHeader>(segment, 0);
  if (udp == nullptr) return Reason::udp_truncated;
  // RFC 768: the length counts the header; eight is the minimum.
  const uint16_t length = udp->length.value();
  if (length < sizeof(UdpHeader) || length > segment.size()) return Reason::udp_length;
  *out = udp;
  return std::nullopt;
}

}  // namespace qure
