#include "dataplane/pipeline/classifier.h"

#include <algorithm>
#include <optional>

#include "dataplane/pipeline/cluster_filter.h"
#include "dataplane/pipeline/flow_classifier.h"
#include "dataplane/pipeline/ip_parser.h"
#include "dataplane/pipeline/partial_checksum.h"
#include "dataplane/pipeline/return_path.h"
#include "proto/dns/message.h"
#include "proto/net/arp.h"
#include "proto/net/ethernet.h"
#include "proto/net/icmp.h"
#include "proto/net/ip.h"
#include "proto/net/nd.h"
#include "proto/net/tcp.h"
#include "proto/net/udp.h"

namespace qure {

namespace {

// Frames ahead whose first cache line is fetched: one line holds Ethernet, tag, IPv4 and the ports of TCP and UDP
// (14 + 4 + 20 + 4 = 42 bytes), or Ethernet, tag and all of an IPv6 header (58 bytes).
constexpr size_t kPrefetchAhead = 4;
// From the UDP header into the second cache line, where the question of a DNS query goes on.
constexpr size_t kToQuestion = 32;

// Lane and reason in one word: two bytes side by side are stored one by one and read back together, which stalls.
class Decision {
 public:
  // Of a lane with a stage: that sets the reason.
  constexpr Decision(Lane lane) : packed_(static_cast<uint32_t>(lane) << 8) {}
  static constexpr Decision Done(Reason reason) {
    Decision done(Lane::kDone);
    done.packed_ |= static_cast<uint32_t>(reason);
    return done;
  }
  Lane lane() const { return static_cast<Lane>(packed_ >> 8); }
  Reason reason() const { return static_cast<Reason>(packed_ & 0xff); }

 private:
  uint32_t packed_;
};
static_assert(kReasonCount <= 256);
constexpr Decision Done(Reason reason) {
  return Decision::Done(reason);
}

const ServiceAddress* FindByMac(const std::vector<ServiceAddress>& addresses, const MacAddress& mac) {
  const auto found = std::ranges::find(addresses, mac, &ServiceAddress::mac);
  return found == addresses.end() ? nullptr : &*found;
}
const ServiceAddress* FindByMac(const Snapshot& snapshot, const MacAddress& mac) {
  const ServiceAddress* service = FindByMac(snapshot.addresses_v4, mac);
  return service != nullptr ? service : FindByMac(snapshot.addresses_v6, mac);
}

bool IsNodeMac(const Snapshot& snapshot, const MacAddress& mac) {
  return mac == snapshot.node_mac || mac == snapshot.node_mac_hop1 || mac == snapshot.lan_mac;
}

// Whether a service MAC is this node's own. Others hold it while this node does not, or hands it over.
bool IsHeld(const Snapshot& snapshot, const ServiceAddress& service) {
  return service.serving && !snapshot.handing_over;
}

// Ping and DNS from the gateway: answered in the fast path, or unsound.
std::optional<Decision> ClassifyAnswerable(const Snapshot& snapshot, ConstBytes segment, uint8_t protocol, bool is_v6) {
  if (protocol == (is_v6 ? kProtocolIcmpv6 : kProtocolIcmp)) {
    const IcmpHeader* icmp = HeaderAt<IcmpHeader>(segment, 0);
    if (icmp == nullptr) return Done(Reason::icmp_truncated);
    const bool request = icmp->type == (is_v6 ? kIcmpv6EchoRequest : kIcmpEchoRequest) && icmp->code == 0;
    if (request) return Decision(is_v6 ? Lane::kEcho6 : Lane::kEcho4);
  }
  if (protocol == kProtocolUdp && snapshot.dns != nullptr) {
    const UdpHeader* udp = nullptr;
    if (ParseError error = ParseUdp(segment, &udp)) return Done(*error);
    if (udp->destination_port.value() == kDnsPort) {
      __builtin_prefetch(segment.data() + kToQuestion);
      return Decision(is_v6 ? Lane::kDns6 : Lane::kDns4);
    }
  }
  return std::nullopt;
}

// The port that a packet with a transport header is for. A first fragment that ends before it is of no use to any host,
// and could carry a port past us in the next one (RFC 1858 §3, RFC 7112 §5). Its UDP length is that of the whole.
ParseError ReadPort(ConstBytes segment, const IpView& view, uint16_t* port) {
  if (view.protocol == kProtocolTcp) {
    const TcpHeader* tcp = nullptr;
    if (const ParseError error = ParseTcp(segment, &tcp)) return error;
    *port = tcp->destination_port.value();
    return std::nullopt;
  }
  const UdpHeader* udp = HeaderAt<UdpHeader>(segment, 0);
  if (udp == nullptr) return Reason::udp_truncated;
  if (!view.partial()) {
    if (const ParseError error = ParseUdp(segment, &udp)) return error;
  }
  *port = udp->destination_port.value();
  return std::nullopt;
}

// What this node's kernel gets, unless its port is closed or its header unsound. The port decides, whatever form the
// packet has; of a datagram whose first fragment is dropped, the kernel drops the others.
Decision ClassifyLocal(const Snapshot& snapshot, const ServiceAddress& service, ConstBytes segment,
                       const IpView& view) {
  const Decision kernel = Lane::kHostService;
  if (view.fragment && !view.first_fragment) return kernel;  // the kernel reassembles
  if (view.protocol != kProtocolUdp && view.protocol != kProtocolTcp) {
    const bool icmp = view.protocol == (service.address.is_v6() ? kProtocolIcmpv6 : kProtocolIcmp);
    return icmp && !view.fragment && segment.size() < sizeof(IcmpHeader) ? Done(Reason::icmp_truncated) : kernel;
  }
  uint16_t port = 0;
  if (const ParseError error = ReadPort(segment, view, &port)) return Done(*error);
  if (snapshot.dns != nullptr && port == kDnsPort) return kernel;  // over TCP, in fragments: this node answers as well
  const ServiceMap* services = snapshot.services.get();
  const bool open =
      services == nullptr || !services->drop_others || services->Find(view.protocol, port, service.id) != 0;
  return open ? kernel : Done(Reason::service_port_closed);
}

// A packet to a service address.
Decision ClassifyService(const Snapshot& snapshot, const ServiceAddress& service, const IpView& view, Entrance entrance,
                         size_t index, Batch* batch) {
  const bool is_v6 = service.address.is_v6();
  const ConstBytes frame = batch->frames[index].bytes();
  const ConstBytes segment = frame.subspan(view.transport, view.end - view.transport);
  const bool held = entrance == Entrance::kService || entrance == Entrance::kGroupHeld;
  if (held && !view.fragment && !view.options) {
    if (const auto answer = ClassifyAnswerable(snapshot, segment, view.protocol, is_v6)) return *answer;
  }
  if (snapshot.balance != nullptr) {
    ParseError error;
    if (ClassifyFlow(snapshot, service, view, entrance, index, batch, &error)) return Lane::kFlow;
    if (error) return Done(*error);
  }
  return service.serving ? ClassifyLocal(snapshot, service, segment, view) : Done(Reason::not_serving);
}

// By which of our MACs a packet to the service address came. Where all of them are the port's own, those who do not
// hold the address can only have it from a peer, and keep it.
Entrance EntranceOf(const Snapshot& snapshot, const ServiceAddress& service, const MacAddress& destination) {
  if (destination.is_multicast()) return service.serving ? Entrance::kGroupHeld : Entrance::kGroup;
  if (destination == service.mac && (service.serving || destination != snapshot.node_mac)) return Entrance::kService;
  return destination == snapshot.node_mac_hop1 ? Entrance::kHop1 : Entrance::kHop0;
}

bool IsNeighborDiscovery(ConstBytes frame, const IpView& view) {
  if (view.protocol != kProtocolIcmpv6 || view.fragment) return false;
  const IcmpHeader* icmp = HeaderAt<IcmpHeader>(frame.first(view.end), view.transport);
  return icmp != nullptr && (icmp->type == kNeighborSolicitation || icmp->type == kNeighborAdvertisement);
}

struct Destination {
  MacAddress mac;
  bool group = false;
  bool service_mac = false;
};

// A packet whose frame is addressed to us alone.
Decision ClassifyUnicast(const Snapshot& snapshot, size_t index, const IpView& view, bool is_v6, const Destination& to,
                         Batch* batch) {
  const uint8_t* header = batch->frames[index].data + batch->parsed[index].network;
  const auto* ip4 = reinterpret_cast<const Ipv4Header*>(header);
  const auto* ip6 = reinterpret_cast<const Ipv6Header*>(header);
  const ServiceAddress* service = is_v6 ? snapshot.Find(ip6->destination) : snapshot.Find(ip4->destination);
  if (service != nullptr) {
    const Entrance entrance = EntranceOf(snapshot, *service, to.mac);
    if (!service->serving && entrance == Entrance::kService) return Done(Reason::not_serving);
    if (is_v6 && ip6->source.is_zero()) return Done(Reason::ip6_source);  // no address to answer to (RFC 4291 §2.5.2)
    return ClassifyService(snapshot, *service, view, entrance, index, batch);
  }
  if (snapshot.balance != nullptr && snapshot.services->any_return_by_master && to.mac == snapshot.node_mac) {
    const Frame& frame = batch->frames[index];
    const bool peer = snapshot.balance->IsPeer(reinterpret_cast<const EthernetHeader*>(frame.data)->source);
    if (peer && ReturnsByMaster(snapshot, frame, batch->parsed[index], view)) return Lane::kReturn;
  }
  if (to.mac.is_multicast()) return Done(Reason::not_service_address);
  return Lane::kHostByMac;
}

bool IsToService(const Snapshot& snapshot, const Frame& frame, const Parsed& parsed) {
  const uint8_t* const header = frame.data + parsed.network;
  return parsed.is_v6 ? snapshot.Find(reinterpret_cast<const Ipv6Header*>(header)->destination) != nullptr
                      : snapshot.Find(reinterpret_cast<const Ipv4Header*>(header)->destination) != nullptr;
}

// An IP packet whose frame is addressed to us or to a group.
Decision ClassifyIp(const Snapshot& snapshot, size_t index, bool is_v6, const Destination& to, Batch* batch) {
  Frame& frame = batch->frames[index];
  Parsed* parsed = &batch->parsed[index];
  IpView view;
  const ParseError error = ParseIpPacket(frame.bytes(), is_v6, frame.ip_checksum_good, parsed, &view);
  // A sender without an address asks for one (RFC 2131 §4.1): that is for the kernel, unless it comes to a service
  // address.
  if (error && (error != Reason::ip4_source || to.service_mac)) return Done(*error);

  if (frame.checksum >= SegmentChecksum::kMaybePartial) CompleteChecksum(*parsed, view, &frame);
  if (is_v6 && IsNeighborDiscovery(frame.bytes(), view)) return Lane::kNeighbor;
  if (!is_v6 && IsClusterDatagram(snapshot, frame, *parsed, view)) return Lane::kCluster;
  if (!to.group) return ClassifyUnicast(snapshot, index, view, is_v6, to, batch);
  if (IsToService(snapshot, frame, *parsed)) return Done(Reason::ip_group_frame);
  NoteGroupQuery(index, view, batch);
  return Lane::kHostByMac;
}

// A frame for the kernel, in shared mode. An ARP reply may answer a question that this node asked as the kernel's
// address, or that the kernel asked by the host port: it is ours, too.
Decision ClassifyKernelFrame(uint16_t ether_type, size_t index, const Batch& batch) {
  const ArpPacket* arp = nullptr;
  const bool reply = ether_type == kEtherTypeArp &&
                     !ParseArp(batch.frames[index].bytes().subspan(batch.parsed[index].network), &arp) &&
                     !arp->is_request();
  return reply ? Decision(Lane::kArp) : Done(Reason::kernel_owned);
}

// A frame from a MAC of ours. From the LAN, a service MAC always means that someone acts as its holder. Nothing: it is
// another node's, as service MACs are while this node does not hold them.
std::optional<Decision> ClassifyOwnSource(const Snapshot& snapshot, size_t index, const EthernetView& ethernet,
                                          Batch* batch) {
  const MacAddress& source = ethernet.header->source;
  const bool node_source = IsNodeMac(snapshot, source);
  const ServiceAddress* const service_source = node_source ? nullptr : FindByMac(snapshot, source);
  if (service_source != nullptr) {
    batch->Emit({.kind = EventKind::kServiceMacSeen, .mac = source, .ip = service_source->address});
  }
  if (!node_source && (service_source == nullptr || !IsHeld(snapshot, *service_source))) return std::nullopt;
  // A machine with a copy of this node's identity has its MAC, and its messages must be received: the boot ids differ.
  const MacAddress& destination = ethernet.header->destination;
  const Destination to{.mac = destination, .group = true};
  const bool cluster = destination.is_multicast() && ethernet.ether_type == kEtherTypeIpv4 &&
                       ClassifyIp(snapshot, index, false, to, batch).lane() == Lane::kCluster;
  return cluster ? Lane::kCluster : Done(Reason::own_frame);
}

Decision ClassifyFrame(const Snapshot& snapshot, size_t index, Batch* batch) {
  const Frame& frame = batch->frames[index];
  Parsed* parsed = &batch->parsed[index];
  EthernetView ethernet;
  if (ParseError error = ParseEthernet(frame.bytes(), &ethernet)) return Done(*error);
  parsed->network = ethernet.length;
  parsed->tagged = ethernet.tagged;
  if (ethernet.vlan != snapshot.vlan || ethernet.ether_type == kEtherTypeVlan) return Done(Reason::vlan_foreign);
  if (snapshot.macs.MayHold(ethernet.header->source)) {
    if (const auto own = ClassifyOwnSource(snapshot, index, ethernet, batch)) return *own;
  }
  const MacAddress& destination = ethernet.header->destination;
  Destination to{.mac = destination, .group = destination.is_multicast()};
  to.service_mac = snapshot.IsServiceMac(destination);
  if (to.service_mac) to.group = false;  // one copy for each node
  const bool node_mac = destination == snapshot.node_mac || destination == snapshot.node_mac_hop1;
  if (!to.group && !to.service_mac && !node_mac) {
    const bool kernel = !snapshot.dedicated && destination == snapshot.lan_mac;
    return kernel ? ClassifyKernelFrame(ethernet.ether_type, index, *batch) : Done(Reason::other_mac);
  }

  switch (ethernet.ether_type) {
    case kEtherTypeArp: {
      const ArpPacket* arp = nullptr;
      if (ParseError error = ParseArp(frame.bytes().subspan(parsed->network), &arp)) return Done(*error);
      return Lane::kArp;
    }
    case kEtherTypeIpv4:
      return ClassifyIp(snapshot, index, false, to, batch);
    case kEtherTypeIpv6:
      return ClassifyIp(snapshot, index, true, to, batch);
    default:
      return Lane::kHostByMac;
  }
}

// The transport header of IPv6 lies across two lines.
void PrefetchHeaders(const Frame& frame) {
  constexpr size_t kLine = 64;
  __builtin_prefetch(frame.data);
  if (frame.length > kLine) __builtin_prefetch(frame.data + kLine);
}

}  // namespace

LaneSet Classify(const Snapshot& snapshot, Batch* batch) {
  const size_t count = batch->count;
  LaneSet lanes;
  for (size_t i = 0; i < count && i < kPrefetchAhead; ++i) PrefetchHeaders(batch->frames[i]);
  for (size_t i = 0; i < count; ++i) {
    if (i + kPrefetchAhead < count) PrefetchHeaders(batch->frames[i + kPrefetchAhead]);
    batch->parsed[i] = {};
    const Decision decision = ClassifyFrame(snapshot, i, batch);
    batch->lanes[i] = decision.lane();
    batch->reasons[i] = decision.reason();
    lanes.Add(decision.lane());
  }
  return lanes;
}

}  // namespace qure
