#include "dataplane/pipeline/nd_responder.h"

#include <algorithm>
#include <cstring>

#include "dataplane/pipeline/arp_responder.h"
#include "dataplane/pipeline/host_delivery.h"
#include "proto/net/checksum.h"
#include "proto/net/ethernet.h"
#include "proto/net/nd.h"

namespace qure {

namespace {

constexpr size_t kAdvertisement = sizeof(Ipv6Header) + sizeof(NeighborMessage) + sizeof(LinkLayerOption);

// Writes the advertisement over the solicitation, extension headers and options of which are gone with it.
Reason Advertise(const ServiceAddress& service, const NeighborView& asked, Frame* frame, Parsed* parsed) {
  const size_t room = size_t{frame->length} + frame->tailroom;
  if (parsed->network + kAdvertisement > room) return Reason::no_room;
  auto* ethernet = reinterpret_cast<EthernetHeader*>(frame->data);
  NeighborFields fields{.ethernet_source = service.mac,
                        .ethernet_destination = asked.link_layer.value_or(ethernet->source),
                        .source = service.address.v6(),
                        .destination = reinterpret_cast<const Ipv6Header*>(frame->data + parsed->network)->source,
                        .target = service.address.v6(),
                        .flags = kNaSolicited | kNaOverride,
                        .link_layer = service.link_mac()};
  if (asked.dad) {  // to all nodes, without the solicited flag (RFC 4861 §7.2.4)
    fields.ethernet_destination = MulticastMac(kAllNodes);
    fields.destination = kAllNodes;
    fields.flags = kNaOverride;
  }
  NeighborFrame advertisement;
  const size_t length = BuildNeighborAdvertisement(fields, &advertisement);
  ethernet->destination = fields.ethernet_destination;  // the tag, if there is one, stays
  ethernet->source = service.mac;
  std::memcpy(frame->data + parsed->network, advertisement.data() + sizeof(EthernetHeader),
              length - sizeof(EthernetHeader));
  const size_t end = parsed->network + length - sizeof(EthernetHeader);
  frame->tailroom = static_cast<uint16_t>(room - end);
  frame->length = static_cast<uint16_t>(end);
  return Reason::neighbor_advertisement;
}

}  // namespace

Reason RespondNeighbor(const Snapshot& snapshot, size_t index, Batch* batch) {
  Frame& frame = batch->frames[index];
  Parsed& parsed = batch->parsed[index];
  const auto* ethernet = reinterpret_cast<const EthernetHeader*>(frame.data);
  const auto* ip = reinterpret_cast<const Ipv6Header*>(frame.data + parsed.network);
  const ConstBytes message(frame.data + parsed.transport, parsed.end - parsed.transport);

  NeighborView view;
  if (ParseError error = ParseNeighbor(*ip, message, &view)) return *error;
  const ServiceAddress* asked = snapshot.Find(view.message->target);
  const bool about_service = asked != nullptr || snapshot.Find(ip->source) != nullptr;
  const bool from_gateway =
      view.message->type == kNeighborAdvertisement &&
      std::ranges::find(snapshot.gateways, IpAddress(view.message->target)) != snapshot.gateways.end();
  if (!about_service && !from_gateway) return DeliverByMac(snapshot, index, batch);
  if (TransportChecksum(ip->source, ip->destination, kProtocolIcmpv6, message) != Be16()) return Reason::icmp_checksum;

  const MacAddress speaker = view.link_layer.value_or(ethernet->source);
  if (const ServiceAddress* used = snapshot.Find(ip->source)) {  // another node uses a service address
    const MacAddress user = SpeakerFor(*used, ethernet->source, speaker);
    const bool answer = view.message->type == kNeighborAdvertisement && !ethernet->destination.is_multicast() &&
                        ethernet->source == used->mac;
    batch->Emit({.kind = EventKind::kAddressUsed, .mac = user, .answer = answer, .ip = ip->source});
    return Reason::nd_noted;
  }
  if (view.message->type == kNeighborAdvertisement) {
    if (asked != nullptr) {
      const MacAddress user = SpeakerFor(*asked, ethernet->source, speaker);
      const bool answer = !ethernet->destination.is_multicast() && ethernet->source == asked->mac;
      batch->Emit({.kind = EventKind::kAddressUsed, .mac = user, .answer = answer, .ip = view.message->target});
      return Reason::nd_noted;
    }
    const bool to_service_mac = snapshot.IsServiceMac(ethernet->destination);
    const bool to_us = !ethernet->destination.is_multicast() || to_service_mac;
    if ((view.message->flags.value() & kNaSolicited) != 0 && to_us) {  // RFC 4861 §4.4
      const bool answer = snapshot.gateway_mac_v6.is_zero() || snapshot.gateway_mac_v6 == speaker;
      batch->Emit({.kind = EventKind::kNeighbor,
                   .mac = speaker,
                   .to = ethernet->destination,
                   .answer = answer,
                   .ip = view.message->target});
    } else if (speaker != snapshot.gateway_mac_v6 && !batch->Has(EventKind::kGatewayHint)) {
      batch->Emit({.kind = EventKind::kGatewayHint, .mac = speaker, .ip = view.message->target});
    }
    return to_service_mac ? Reason::nd_noted : DeliverByMac(snapshot, index, batch);
  }
  if (view.dad) batch->Emit({.kind = EventKind::kAddressProbed, .mac = ethernet->source, .ip = view.message->target});
  if (asked->serving && !snapshot.handing_over) return Advertise(*asked, view, &frame, &parsed);
  if (view.dad) return Reason::nd_noted;
  batch->Emit({.kind = EventKind::kAddressWanted, .mac = speaker, .ip = view.message->target});
  return Reason::not_serving;
}

}  // namespace qure
