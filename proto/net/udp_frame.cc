#include "proto/net/udp_frame.h"

#include <cstring>

#include "proto/net/checksum.h"
#include "proto/net/ethernet.h"
#include "proto/net/ip.h"
#include "proto/net/udp.h"

namespace qure {
namespace {

constexpr uint8_t kInternetControl = 0xc0;  // RFC 791 §3.1: precedence of what keeps the network itself going
constexpr uint16_t kDontFragment = 0x4000;
constexpr size_t kIpOffset = sizeof(EthernetHeader);
constexpr size_t kUdpOffset = kIpOffset + sizeof(Ipv4Header);
static_assert(kUdpOffset + sizeof(UdpHeader) == kUdpFrameHeaders);

}  // namespace

MacAddress DestinationMac(const Ipv4Address& destination, const MacAddress& unicast) {
  if (destination == kLimitedBroadcast) return kBroadcastMac;
  return destination.is_multicast() ? MulticastMac(destination) : unicast;
}

void WriteUdpFrame(const UdpFields& fields, ConstBytes payload, MutableBytes out) {
  *MutableHeaderAt<EthernetHeader>(out, 0) = {fields.ethernet_destination, fields.ethernet_source,
                                              Be16(kEtherTypeIpv4)};
  auto* ip = MutableHeaderAt<Ipv4Header>(out, kIpOffset);
  *ip = {.version_ihl = 0x45,
         .type_of_service = kInternetControl,
         .total_length = Be16(static_cast<uint16_t>(out.size() - kIpOffset)),
         .identification = Be16(0),  // RFC 6864 §4.1: without meaning in what is never fragmented
         .fragment = Be16(kDontFragment),
         .time_to_live = kUnroutedHops,
         .protocol = kProtocolUdp,
         .checksum = Be16(0),
         .source = fields.source,
         .destination = fields.destination};
  ip->checksum = Ipv4HeaderChecksum(out.subspan(kIpOffset, sizeof(Ipv4Header)));

  const MutableBytes segment = out.subspan(kUdpOffset);
  auto* udp = MutableHeaderAt<UdpHeader>(segment, 0);
  *udp = {Be16(fields.source_port), Be16(fields.destination_port), Be16(static_cast<uint16_t>(segment.size())),
          Be16(0)};
  if (!payload.empty()) std::memcpy(segment.data() + sizeof(UdpHeader), payload.data(), payload.size());
  udp->checksum = TransportChecksum(fields.source, fields.destination, kProtocolUdp, segment);
  if (udp->checksum == Be16(0)) udp->checksum = Be16(0xffff);  // RFC 768: zero means that there is none
}

}  // namespace qure
