#include "dataplane/pipeline/cluster_filter.h"

#include <algorithm>
#include <array>

#include "proto/cluster/cluster_peer.h"
#include "proto/cluster/envelope.h"
#include "proto/mutation.h"
#include "proto/net/ethernet.h"
#include "proto/net/icmp.h"
#include "proto/net/igmp.h"
#include "proto/net/mld.h"
#include "proto/net/udp.h"
#include "proto/net/udp_frame.h"

namespace qure {
namespace {

// Of the other side of the lease, by what its datagram says.
bool IsHeartbeatPeer(const Snapshot& snapshot, const EnvelopeHeader& envelope, const MacAddress& source) {
  if (snapshot.heartbeater == nullptr || snapshot.heartbeater->role == HeartbeatRole::kSilent) return false;
  const HeartbeatPeer& peer = snapshot.heartbeater->peer;
  return envelope.sender == peer.node && envelope.boot == peer.boot && source == peer.mac;
}

// Sealed with a key of `peer`.
bool IsGenuine(const ClusterPeer& peer, const EnvelopeHeader& envelope, ConstBytes datagram) {
  std::array<uint8_t, kMaxDatagram - kEnvelopeOverhead> plain;
  const auto key = std::ranges::find(peer.keys, envelope.key_id.value(), &HeartbeatKey::id);
  return key != peer.keys.end() &&
         Unseal(key->key, datagram, MutableBytes(plain).first(datagram.size() - kEnvelopeOverhead));
}

// Of a known boot, by what its header says.
bool AdmitKnown(const ClusterPeer& peer, const EnvelopeHeader& envelope, ConstBytes datagram,
                ClusterAdmission* admission) {
  if (admission->TakeKnown(peer.boot)) return true;
  const uint64_t counter = envelope.counter.value();
  return admission->MayProve(peer.boot, counter) && IsGenuine(peer, envelope, datagram) &&
         admission->TakeProven(peer.boot, counter);
}

}  // namespace

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

Reason SortClusterDatagram(const Snapshot& snapshot, ClusterAdmission* admission, const Frame& frame,
                           const Parsed& parsed) {
  // RFC 5082 §3: what has passed a router has lost a hop.
  if (HeaderAt<Ipv4Header>(frame.bytes(), parsed.network)->time_to_live != kUnroutedHops) return Reason::cluster_routed;
  const ConstBytes payload = ClusterPayload(frame.bytes(), parsed.transport);
  if (IsAdmissionDatagram(payload) && payload.size() <= kMaxDatagram) return Reason::cluster_adoption;
  const EnvelopeHeader* const envelope = PeekEnvelope(payload);
  if (envelope == nullptr || payload.size() > kMaxDatagram) return Reason::cluster_malformed;

  const MacAddress& source = HeaderAt<EthernetHeader>(frame.bytes(), 0)->source;
  if (envelope->channel == static_cast<uint8_t>(Channel::kHeartbeat)) {
    const bool expected = IsHeartbeatPeer(snapshot, *envelope, source);
    return expected ? Reason::cluster_heartbeat : Reason::heartbeat_unexpected;
  }
  const ClusterPeer* const peer =
      snapshot.cluster_peers == nullptr ? nullptr : FindPeer(*snapshot.cluster_peers, envelope->sender, envelope->boot);
  const bool known = peer != nullptr && peer->mac == source;
  if (Mutated(Mutation::kAdmitAll)) return Reason::cluster_message;
  if (admission == nullptr) {
    return known ? Reason::cluster_message : Reason::cluster_stranger;
  }
  if (known) {
    return AdmitKnown(*peer, *envelope, payload, admission) ? Reason::cluster_message : Reason::cluster_over_limit;
  }
  return admission->TakeStranger(envelope->boot) ? Reason::cluster_stranger : Reason::cluster_over_limit;
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
