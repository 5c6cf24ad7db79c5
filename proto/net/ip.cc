#include "proto/net/ip.h"

#include "proto/net/checksum.h"

namespace qure {
namespace {

constexpr Ipv4Address kLimitedBroadcast{{255, 255, 255, 255}};
constexpr Ipv6Address kLoopback6{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

constexpr uint8_t kHopByHop = 0;         // RFC 8200 §4.3
constexpr uint8_t kRouting = 43;         // RFC 8200 §4.4
constexpr uint8_t kFragment = 44;        // RFC 8200 §4.5
constexpr uint8_t kAuthentication = 51;  // RFC 4302 §2
constexpr uint8_t kDestination = 60;     // RFC 8200 §4.6

constexpr uint8_t kPlainIpv4 = 0x45;  // version 4, and a header of five words: without options

// RFC 1122 §3.2.1.3: (c), (g) and class D are never a source; (a) only while a host learns its address.
bool IsSource(const Ipv4Address& address) {
  const uint8_t first = address.bytes[0];
  if ((first >= 1 && first <= 126) || (first >= 128 && first <= 223)) return true;  // nearly all
  return !address.is_zero() && !address.is_multicast() && address != kLimitedBroadcast && !address.is_loopback();
}

// How every extension header begins.
struct ExtensionHeader {
  uint8_t next_header;
  uint8_t length;  // in units of 8 bytes, not counting the first; for authentication in units of 4, not counting two
};
static_assert(sizeof(ExtensionHeader) == 2);

struct FragmentHeader {
  uint8_t next_header;
  uint8_t reserved;
  Be16 offset;  // 13 bits in units of 8 bytes, 2 reserved, 1 more-fragments
  Be32 identification;
};
static_assert(sizeof(FragmentHeader) == 8);

bool IsExtensionHeader(uint8_t protocol) {
  return protocol == kHopByHop || protocol == kRouting || protocol == kFragment || protocol == kAuthentication ||
         protocol == kDestination;
}

// Steps over the extension header at view->transport, `packet` ending where the IP packet does.
ParseError StepOver(ConstBytes packet, IpView* view) {
  const auto* extension = HeaderAt<ExtensionHeader>(packet, view->transport);
  if (extension == nullptr) return Reason::ip6_extension;
  size_t length = 8 + extension->length * size_t{8};
  if (view->protocol == kFragment) {
    const auto* fragment = HeaderAt<FragmentHeader>(packet, view->transport);
    if (fragment == nullptr) return Reason::ip6_extension;
    length = sizeof(FragmentHeader);
    const bool alone = (fragment->offset.value() & 0xfff9) == 0;  // no offset, and no more fragments
    view->atomic = alone && (!view->fragment || view->atomic);
    view->fragment = true;
    view->first_fragment = (fragment->offset.value() & 0xfff8) == 0;
    view->fragment_id = fragment->identification.value();
  } else {
    if (view->protocol == kAuthentication) length = (extension->length + size_t{2}) * 4;
    view->options = true;
  }
  if (length > packet.size() - view->transport) return Reason::ip6_extension;
  view->transport = static_cast<uint16_t>(view->transport + length);
  view->protocol = extension->next_header;
  return std::nullopt;
}

}  // namespace

ParseError ParseIpv4(ConstBytes packet, bool checksum_verified, IpView* out) {
  const auto* ip = HeaderAt<Ipv4Header>(packet, 0);
  if (ip == nullptr) return Reason::ip4_truncated;
  const uint16_t total_length = ip->total_length.value();
  uint16_t header_length = sizeof(Ipv4Header);
  if (ip->version_ihl != kPlainIpv4) {
    if (ip->version_ihl >> 4 != 4) return Reason::ip4_version;
    header_length = ip->header_length();
    if (header_length < sizeof(Ipv4Header) || header_length > packet.size()) return Reason::ip4_header_length;
  }
  if (total_length < header_length || total_length > packet.size()) return Reason::ip4_total_length;
  if (!checksum_verified && Ipv4HeaderChecksum(packet.first(header_length)) != Be16(0)) return Reason::ip4_checksum;
  if (!IsSource(ip->source)) return Reason::ip4_source;

  // Field by field: the view is read at once, and a copy of narrow stores would wait for them.
  out->transport = header_length;
  out->end = total_length;
  out->protocol = ip->protocol;
  out->fragment = out->first_fragment = false;
  if (ip->is_fragment()) {
    out->fragment = true;
    out->first_fragment = ip->fragment_offset() == 0;
    if (!out->first_fragment) out->transport = 0;
  }
  out->atomic = false;  // IPv4 has no header that says it
  out->options = header_length > sizeof(Ipv4Header);
  out->fragment_id = ip->identification.value();
  return std::nullopt;
}

ParseError WalkExtensionHeaders(ConstBytes packet, IpView* view) {
  for (int headers = 0; IsExtensionHeader(view->protocol); ++headers) {
    // RFC 8200 §4.1: hop-by-hop options come first or not at all.
    const bool misplaced = view->protocol == kHopByHop && headers > 0;
    if (misplaced || headers == kMaxExtensionHeaders) return Reason::ip6_extension;
    if (const ParseError error = StepOver(packet, view)) return error;
    if (view->fragment && !view->first_fragment) {
      // RFC 8200 §4.5: what follows is the middle of something; the walk ends and there is no transport header.
      view->transport = 0;
      break;
    }
  }
  return std::nullopt;
}

ParseError ParseIpv6(ConstBytes packet, IpView* out) {
  const auto* ip = HeaderAt<Ipv6Header>(packet, 0);
  if (ip == nullptr) return Reason::ip6_truncated;
  if (ip->version_class_flow.value() >> 28 != 6) return Reason::ip6_version;
  const size_t end = sizeof(Ipv6Header) + ip->payload_length.value();
  // The offsets of IpView have 16 bits; no frame holds more.
  if (end > packet.size() || end > UINT16_MAX) return Reason::ip6_payload_length;
  if (ip->source.is_multicast() || ip->source == kLoopback6) return Reason::ip6_source;

  packet = packet.first(end);
  out->transport = sizeof(Ipv6Header);
  out->end = static_cast<uint16_t>(end);
  out->protocol = ip->next_header;
  out->fragment = out->first_fragment = out->atomic = out->options = false;
  out->fragment_id = 0;
  return IsExtensionHeader(out->protocol) ? WalkExtensionHeaders(packet, out) : std::nullopt;
}

}  // namespace qure
