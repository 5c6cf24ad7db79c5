#include "dataplane/pipeline/partial_checksum.h"

#include "proto/net/checksum.h"
#include "proto/net/tcp.h"
#include "proto/net/udp.h"

namespace qure {

namespace {

template <typename IpHeader>
void Complete(const IpHeader& ip, uint8_t protocol, ConstBytes segment, Be16* checksum, Frame* frame) {
  if (frame->checksum == SegmentChecksum::kMaybePartial) {
    if (*checksum != PseudoHeaderSum(ip.source, ip.destination, protocol, segment.size())) return;
    if (TransportChecksum(ip.source, ip.destination, protocol, segment) == Be16()) return;
  }
  *checksum = Be16();
  const Be16 computed = TransportChecksum(ip.source, ip.destination, protocol, segment);
  // A UDP checksum of zero would mean that there is none (RFC 768).
  *checksum = protocol == kProtocolUdp && computed == Be16() ? Be16(0xffff) : computed;
  frame->checksum = SegmentChecksum::kGood;
}

}  // namespace

// A sender never leaves the checksum of a fragmented datagram to a card, which sees one fragment at a time.
void CompleteChecksum(const Parsed& parsed, const IpView& view, Frame* frame) {
  if (view.fragment || view.transport == 0) return;
  uint8_t* const transport = frame->data + parsed.transport;
  const ConstBytes segment(transport, static_cast<size_t>(parsed.end - parsed.transport));
  Be16* checksum = nullptr;
  if (view.protocol == kProtocolTcp && segment.size() >= sizeof(TcpHeader)) {
    checksum = &reinterpret_cast<TcpHeader*>(transport)->checksum;
  } else if (view.protocol == kProtocolUdp && segment.size() >= sizeof(UdpHeader)) {
    checksum = &reinterpret_cast<UdpHeader*>(transport)->checksum;
  } else {
    return;
  }
  const uint8_t* const network = frame->data + parsed.network;
  if (parsed.is_v6) {
    Complete(*reinterpret_cast<const Ipv6Header*>(network), view.protocol, segment, checksum, frame);
  } else {
    Complete(*reinterpret_cast<const Ipv4Header*>(network), view.protocol, segment, checksum, frame);
  }
}

}  // namespace qure
