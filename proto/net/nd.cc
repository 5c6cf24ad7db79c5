#include "proto/net/nd.h"

#include "proto/net/checksum.h"
#include "proto/net/ethernet.h"

namespace qure {
namespace {

constexpr uint8_t kSourceLinkLayer = 1;
constexpr uint8_t kTargetLinkLayer = 2;
constexpr uint8_t kNeighborHopLimit = 255;
constexpr size_t kOptionUnit = 8;

struct OptionHeader {
  uint8_t type;
  uint8_t length;  // in units of 8 bytes, this header included
};
static_assert(sizeof(OptionHeader) == 2);

// ff02::1:ff00:0/104
bool IsSolicitedNode(const Ipv6Address& address) {
  return address == SolicitedNode(address);
}

// Walks the options. `present`: an option of `type` is there, usable or not.
ParseError ParseOptions(ConstBytes icmp, uint8_t type, bool* present, std::optional<MacAddress>* link_layer) {
  for (size_t offset = sizeof(NeighborMessage); offset < icmp.size();) {
    const auto* header = HeaderAt<OptionHeader>(icmp, offset);
    if (header == nullptr || header->length == 0) return Reason::nd_malformed;
    const size_t length = header->length * kOptionUnit;
    if (length > icmp.size() - offset) return Reason::nd_malformed;
    if (header->type == type) {
      *present = true;
      const auto* option = HeaderAt<LinkLayerOption>(icmp, offset);
      // RFC 2464 §6: one unit for Ethernet. No host has a group address; the first option counts.
      const bool usable = length == sizeof(LinkLayerOption) && !option->mac.is_multicast() && !option->mac.is_zero();
      if (usable && !link_layer->has_value()) *link_layer = option->mac;
    }
    offset += length;
  }
  return std::nullopt;
}

size_t Build(uint8_t type, uint32_t flags, uint8_t option_type, const NeighborFields& fields, NeighborFrame* out) {
  const bool with_option = type == kNeighborAdvertisement || !fields.source.is_zero();
  const size_t icmp_length = sizeof(NeighborMessage) + (with_option ? sizeof(LinkLayerOption) : 0);
  constexpr size_t kIcmpOffset = sizeof(EthernetHeader) + sizeof(Ipv6Header);

  *out = {};
  *MutableHeaderAt<EthernetHeader>(*out, 0) = {fields.ethernet_destination, fields.ethernet_source,
                                               Be16(kEtherTypeIpv6)};
  *MutableHeaderAt<Ipv6Header>(*out, sizeof(EthernetHeader)) = {
      .version_class_flow = Be32(uint32_t{6} << 28),
      .payload_length = Be16(static_cast<uint16_t>(icmp_length)),
      .next_header = kProtocolIcmpv6,
      .hop_limit = kNeighborHopLimit,
      .source = fields.source,
      .destination = fields.destination};
  auto* message = MutableHeaderAt<NeighborMessage>(*out, kIcmpOffset);
  *message = {type, 0, Be16(0), Be32(flags), fields.target};
  if (with_option) {
    *MutableHeaderAt<LinkLayerOption>(*out, kIcmpOffset + sizeof(NeighborMessage)) = {option_type, 1,
                                                                                      fields.link_layer};
  }
  const ConstBytes icmp = ConstBytes(*out).subspan(kIcmpOffset, icmp_length);
  message->checksum = TransportChecksum(fields.source, fields.destination, kProtocolIcmpv6, icmp);
  return kIcmpOffset + icmp_length;
}

}  // namespace

ParseError ParseNeighbor(const Ipv6Header& ip, ConstBytes icmp, NeighborView* out) {
  const auto* message = HeaderAt<NeighborMessage>(icmp, 0);
  if (message == nullptr) return Reason::nd_malformed;
  const bool solicitation = message->type == kNeighborSolicitation;
  if (!solicitation && message->type != kNeighborAdvertisement) return Reason::nd_malformed;
  // RFC 4861 §7.1.1, §7.1.2
  if (ip.hop_limit != kNeighborHopLimit || message->code != 0 || message->target.is_multicast()) {
    return Reason::nd_malformed;
  }
  NeighborView view{.message = message, .link_layer = std::nullopt};
  bool option_present = false;
  const uint8_t option_type = solicitation ? kSourceLinkLayer : kTargetLinkLayer;
  if (const ParseError error = ParseOptions(icmp, option_type, &option_present, &view.link_layer)) return error;
  if (solicitation) {
    view.dad = ip.source.is_zero();
    // §7.1.1: from the unspecified address, to a solicited-node group and without a source option.
    if (view.dad && (option_present || !IsSolicitedNode(ip.destination))) return Reason::nd_malformed;
  } else if (ip.destination.is_multicast() && (message->flags.value() & kNaSolicited) != 0) {
    return Reason::nd_malformed;  // §7.1.2: what goes to a group was not solicited
  }
  *out = view;
  return std::nullopt;
}

size_t BuildNeighborSolicitation(const NeighborFields& fields, NeighborFrame* out) {
  return Build(kNeighborSolicitation, 0, kSourceLinkLayer, fields, out);
}

size_t BuildNeighborAdvertisement(const NeighborFields& fields, NeighborFrame* out) {
  return Build(kNeighborAdvertisement, fields.flags, kTargetLinkLayer, fields, out);
}

}  // namespace qure
