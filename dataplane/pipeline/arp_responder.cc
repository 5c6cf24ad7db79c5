#include "dataplane/pipeline/arp_responder.h"

#include <algorithm>

#include "dataplane/pipeline/host_delivery.h"

namespace qure {

namespace {

Reason Reply(const ServiceAddress& service, ArpPacket* arp, EthernetHeader* ethernet) {
  arp->operation = Be16(kArpReply);
  arp->target_mac = arp->sender_mac;
  arp->target_ip = arp->sender_ip;
  arp->sender_mac = service.link_mac();
  arp->sender_ip = service.address.v4();
  ethernet->destination = arp->target_mac;
  ethernet->source = service.mac;
  return Reason::arp_reply;
}

}  // namespace

MacAddress SpeakerFor(const ServiceAddress& service, const MacAddress& source, const MacAddress& said) {
  const bool ours = said == service.mac || said == GroupMac(service.mac);
  return ours && source != service.mac ? source : said;
}

bool NoteArp(const Snapshot& snapshot, const EthernetHeader& ethernet, const ArpPacket& arp, Batch* batch) {
  // Looked at only where it matters: most of what comes are requests of hosts.
  const auto answers = [&] {
    return !arp.is_request() && !arp.is_announcement() &&
           (!ethernet.destination.is_multicast() || snapshot.IsServiceMac(ethernet.destination));
  };
  if (const ServiceAddress* used = snapshot.Find(arp.sender_ip)) {  // request, reply or announcement
    const MacAddress speaker = SpeakerFor(*used, ethernet.source, arp.sender_mac);
    const bool answer = speaker == arp.sender_mac && ethernet.source == used->mac && answers();
    batch->Emit({.kind = EventKind::kAddressUsed, .mac = speaker, .answer = answer, .ip = arp.sender_ip});
    return true;
  }
  if (std::ranges::find(snapshot.own_addresses, arp.sender_ip) != snapshot.own_addresses.end() &&
      arp.sender_mac != snapshot.node_mac) {
    batch->Emit({.kind = EventKind::kNodeAddressUsed, .mac = arp.sender_mac, .ip = arp.sender_ip});
  }
  if (std::ranges::find(snapshot.gateways, IpAddress(arp.sender_ip)) == snapshot.gateways.end()) return false;
  if (answers()) {
    const bool answer = snapshot.gateway_mac_v4.is_zero() || snapshot.gateway_mac_v4 == arp.sender_mac;
    batch->Emit({.kind = EventKind::kNeighbor,
                 .mac = arp.sender_mac,
                 .to = ethernet.destination,
                 .answer = answer,
                 .ip = arp.sender_ip});
  } else if (arp.sender_mac != snapshot.gateway_mac_v4 && !batch->Has(EventKind::kGatewayHint)) {
    batch->Emit({.kind = EventKind::kGatewayHint, .mac = arp.sender_mac, .ip = arp.sender_ip});
  }
  return false;
}

Reason RespondArp(const Snapshot& snapshot, size_t index, Batch* batch) {
  Frame& frame = batch->frames[index];
  auto* ethernet = reinterpret_cast<EthernetHeader*>(frame.data);
  auto* arp = reinterpret_cast<ArpPacket*>(frame.data + batch->parsed[index].network);

  // RFC 1812 §3.3.2: no host has a group address as its link-layer address. But our services have.
  if (arp->sender_mac.is_multicast() && !snapshot.IsServiceMac(arp->sender_mac)) return Reason::arp_sender_mismatch;
  if (snapshot.reports_lan && ethernet->destination == kBroadcastMac) batch->Emit({.kind = EventKind::kLanHeard});
  if (NoteArp(snapshot, *ethernet, *arp, batch)) return Reason::arp_noted;
  const ServiceAddress* asked = snapshot.Find(arp->target_ip);
  if (asked != nullptr) {
    if (!arp->is_request()) return Reason::arp_noted;
    if (arp->is_probe()) {
      batch->Emit({.kind = EventKind::kAddressProbed, .mac = arp->sender_mac, .ip = arp->target_ip});
    }
    if (asked->serving && !snapshot.handing_over) return Reply(*asked, arp, ethernet);
    if (arp->is_probe()) return Reason::arp_noted;
    batch->Emit({.kind = EventKind::kAddressWanted, .mac = arp->sender_mac, .ip = arp->target_ip});
    return Reason::not_serving;
  }
  // In shared mode: the answer to a question that the kernel asked by the host port, which is asked as lan_mac.
  const bool to_sender = ethernet->destination == snapshot.question_mac && !ethernet->destination.is_multicast();
  return to_sender ? DeliverToHost(snapshot, index, Reason::host_node, batch) : DeliverByMac(snapshot, index, batch);
}

}  // namespace qure
