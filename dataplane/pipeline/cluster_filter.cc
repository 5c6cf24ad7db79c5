#include "dataplane/pipeline/cluster_filter.h"

#include "proto/cluster/envelope.h"
#include "proto/net/ethernet.h"
#include "proto/net/icmp.h"
#include "proto/net/igmp.h"
#include "proto/net/mld.h"
#include "proto/net/udp.h"
#include "proto/net/udp_frame.h"

namespace qure {

bool IsClusterDatagram(const Snapshot& snapshot, const Frame& frame, const Parsed& parsed, const IpView& view) {
  if (snapshot.cluster_port == 0 || view.protocol != kProtocolUdp || view.fragment) return false;
  const UdpHeader* udp = nullptr;
  if (ParseUdp(frame.bytes().subspan(view.transport, view.end - view.transport), &udp)) return false;
  if (udp->destination_port.value() != snapshot.cluster_port) return false;
  const Ipv4Address& to = reinterpret_cast<const Ipv4Header*>(frame.data + parsed.network)->destination;
  return to == snapshot.cluster_group || to == kLimitedBroadcast || to == snapshot.node_address;
}

ConstBytes ClusterPayload(ConstBytes frame, uint16_t transport) {
  const auto* udp = HeaderAt<UdpHeader>(frame, transport);
  return frame.subspan(transport + sizeof(UdpHeader), udp->length.value() - sizeof(UdpHeader));
}

Datagram ClusterDatagram(ConstBytes frame, uint16_t network, uint16_t transport) {
  const auto& ip = *HeaderAt<Ipv4Header>(frame, network);
  const ConstBytes payload = ClusterPayload(frame, transport);
  Datagram datagram;
  datagram.mac = HeaderAt<EthernetHeader>(frame, 0)->source;
  if (ip.destination == kLimitedBroadcast) {
    datagram.delivery = Delivery::kBroadcast;
  } else if (ip.destination.is_multicast()) {
    datagram.delivery = Delivery::kMulticast;
  }
  datagram.payload.assign(payload.begin(), payload.end());
  return datagram;
}

Reason SortClusterDatagram(const Frame& frame, const Parsed& parsed) {
  const EnvelopeHeader* envelope = PeekEnvelope(ClusterPayload(frame.bytes(), parsed.transport));
  const bool heartbeat = envelope != nullptr && envelope->channel == static_cast<uint8_t>(Channel::kHeartbeat);
  return heartbeat ? Reason::cluster_heartbeat : Reason::cluster_message;
}

void NoteGroupQuery(size_t index, const IpView& view, Batch* batch) {
  const bool is_v6 = batch->parsed[index].is_v6;
  if (view.fragment || view.protocol != (is_v6 ? kProtocolIcmpv6 : kProtocolIgmp)) return;
  const ConstBytes frame = batch->frames[index].bytes();
  const ConstBytes packet = frame.subspan(batch->parsed[index].network);
  const std::optional<GroupQuery> query = is_v6 ? ParseMldQuery(packet) : ParseIgmpQuery(packet);
  if (!query) return;
  batch->Emit(
      {.kind = EventKind::kGroupQuery, .version = query->version, .ip = query->group, .span = query->max_response});
}

}  // namespace qure
