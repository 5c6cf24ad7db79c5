#include "proto/net/icmp_error.h"

#include "proto/net/ip.h"

namespace qure {
namespace {

constexpr size_t kIcmpErrorHeader = 8;  // type, code, checksum and four bytes of its own (RFC 792, RFC 4443 §3)

struct Ports {
  Be16 source;
  Be16 destination;
};
static_assert(sizeof(Ports) == 4);

std::optional<QuotedFlow> Quoted(const IpAddress& source, const IpAddress& destination, uint8_t protocol,
                                 ConstBytes transport) {
  const auto* ports = HeaderAt<Ports>(transport, 0);
  if (ports == nullptr || (protocol != kProtocolTcp && protocol != kProtocolUdp)) return std::nullopt;
  return QuotedFlow{source, destination, protocol, ports->source, ports->destination};
}

}  // namespace

bool IsIcmpError(bool is_v6, uint8_t type) {
  // RFC 4443 §2.1: 1 to 4 are the errors in use. RFC 792: 3 unreachable, 4 source quench, 11 time exceeded, 12
  // parameter problem.
  return is_v6 ? type >= 1 && type <= 4 : type == 3 || type == 4 || type == 11 || type == 12;
}

std::optional<QuotedFlow> ParseQuotedFlow(ConstBytes icmp, bool is_v6) {
  if (icmp.size() < kIcmpErrorHeader) return std::nullopt;
  const ConstBytes packet = icmp.subspan(kIcmpErrorHeader);
  if (!is_v6) {
    const auto* ip = HeaderAt<Ipv4Header>(packet, 0);
    if (ip == nullptr || ip->version_ihl >> 4 != 4 || ip->fragment_offset() != 0) return std::nullopt;
    const size_t length = ip->header_length();
    if (length < sizeof(Ipv4Header) || length > packet.size()) return std::nullopt;
    return Quoted(ip->source, ip->destination, ip->protocol, packet.subspan(length));
  }
  const auto* ip = HeaderAt<Ipv6Header>(packet, 0);
  if (ip == nullptr || ip->version_class_flow.value() >> 28 != 6) return std::nullopt;
  // The quote is cut, so its lengths exceed what is there; what matters are the headers up to the ports.
  IpView view{
      .transport = sizeof(Ipv6Header), .end = static_cast<uint16_t>(packet.size()), .protocol = ip->next_header};
  if (WalkExtensionHeaders(packet, &view) || view.transport == 0) return std::nullopt;
  return Quoted(ip->source, ip->destination, view.protocol, packet.subspan(view.transport));
}

}  // namespace qure
