#include "dataplane/pipeline/host_filter.h"

#include "dataplane/pipeline/ip_parser.h"
#include "dataplane/pipeline/return_path.h"
#include "proto/net/arp.h"
#include "proto/net/checksum.h"
#include "proto/net/ethernet.h"
#include "proto/net/ip.h"
#include "proto/net/nd.h"
#include "proto/net/way_in.h"

namespace qure {

namespace {

Reason FilterArp(const Snapshot& snapshot, Frame* frame) {
  const ArpPacket* sound = nullptr;
  if (ParseError error = ParseArp(frame->bytes().subspan(sizeof(EthernetHeader)), &sound)) return *error;
  auto* arp = const_cast<ArpPacket*>(sound);
  // A probe or announcement for a service address is the dataplane's to make.
  if (arp->is_probe() && snapshot.Find(arp->target_ip) != nullptr) return Reason::host_arp_blocked;
  if (snapshot.Find(arp->sender_ip) == nullptr) return Reason::lan_host;
  // A request for another service address would become a probe for it.
  if (!arp->is_request() || snapshot.Find(arp->target_ip) != nullptr) return Reason::host_arp_blocked;
  // Without a sender it would look like a probe, which makes a host that boots give its address up (RFC 5227 §2.1.1).
  arp->sender_mac = snapshot.question_mac;
  arp->sender_ip = snapshot.question_address;
  reinterpret_cast<EthernetHeader*>(frame->data)->source = snapshot.question_mac;
  return Reason::lan_arp_anonymous;
}

Reason FilterNeighbor(const Snapshot& snapshot, const Parsed& parsed, Frame* frame) {
  auto* ip = reinterpret_cast<Ipv6Header*>(frame->data + parsed.network);
  NeighborView view;
  if (ParseError error = ParseNeighbor(*ip, {frame->data + parsed.transport, frame->data + parsed.end}, &view))
    return *error;
  const bool from_service = snapshot.Find(ip->source) != nullptr;
  const bool about_service = snapshot.Find(view.message->target) != nullptr;
  if (view.message->type == kNeighborAdvertisement) {
    return from_service || about_service ? Reason::host_nd_blocked : Reason::lan_host;
  }
  if (view.dad && about_service) return Reason::host_nd_blocked;
  if (!from_service) return Reason::lan_host;
  const Ipv6Address link_local = LinkLocalFromMac(snapshot.node_mac);
  auto* message = reinterpret_cast<NeighborMessage*>(frame->data + parsed.transport);
  message->checksum = UpdateChecksum(message->checksum, ip->source.bytes, link_local.bytes);
  ip->source = link_local;
  return Reason::lan_nd_anonymous;
}

Reason FilterIpv4(const Snapshot& snapshot, const WorkerMemory& memory, Frame* frame) {
  const auto* const ip = HeaderAt<Ipv4Header>(frame->bytes(), sizeof(EthernetHeader));
  if (ip != nullptr && ip->destination == kWayInSource4) return Reason::way_in_answer;
  if (snapshot.balance == nullptr) return Reason::lan_host;
  Parsed parsed{.network = sizeof(EthernetHeader)};
  IpView view;
  // The port may still have to fill in the checksum. What is unsound otherwise is not for us to judge.
  if (ParseIpPacket(frame->bytes(), /*is_v6=*/false, /*checksum_verified=*/true, &parsed, &view))
    return Reason::lan_host;
  return SendReply(snapshot, memory, parsed, view, frame);
}

Reason FilterIpv6(const Snapshot& snapshot, const WorkerMemory& memory, Frame* frame) {
  Parsed parsed{.network = sizeof(EthernetHeader)};
  IpView view;
  if (ParseError error = ParseIpPacket(frame->bytes(), /*is_v6=*/true, /*checksum_verified=*/true, &parsed, &view)) {
    return *error;
  }
  if (HeaderAt<Ipv6Header>(frame->bytes(), sizeof(EthernetHeader))->destination == kWayInSource6) {
    return Reason::way_in_answer;
  }
  if (view.protocol == kProtocolIcmpv6 && !view.fragment) {
    if (parsed.transport >= parsed.end) return Reason::lan_host;
    const uint8_t type = frame->data[parsed.transport];
    const bool neighbor = type == kNeighborSolicitation || type == kNeighborAdvertisement;
    if (neighbor) return FilterNeighbor(snapshot, parsed, frame);
  }
  return snapshot.balance == nullptr ? Reason::lan_host : SendReply(snapshot, memory, parsed, view, frame);
}

}  // namespace

Reason FilterHostFrame(const Snapshot& snapshot, const WorkerMemory& memory, Frame* frame) {
  EthernetView ethernet;
  if (ParseError error = ParseEthernet(frame->bytes(), &ethernet)) return *error;
  if (ethernet.tagged) return Reason::vlan_foreign;  // the LAN's tag is ours to add
  const MacAddress& source = ethernet.header->source;
  if (source != snapshot.node_mac && snapshot.IsServiceMac(source)) return Reason::host_source_mac;

  Reason reason = Reason::lan_host;
  if (ethernet.ether_type == kEtherTypeArp) reason = FilterArp(snapshot, frame);
  if (ethernet.ether_type == kEtherTypeIpv4) reason = FilterIpv4(snapshot, memory, frame);
  if (ethernet.ether_type == kEtherTypeIpv6) reason = FilterIpv6(snapshot, memory, frame);
  const bool leaves = VerdictOf(reason) == Verdict::kLan || VerdictOf(reason) == Verdict::kAnswer;
  if (leaves && snapshot.vlan != 0 && !frame->PushVlan(snapshot.vlan)) return Reason::no_room;
  return reason;
}

}  // namespace qure
