#include <memory>

#include "proto/cluster/envelope.h"
#include "tests/packet/cases.h"

namespace qure::testing {

namespace {

constexpr uint16_t kPort = 7873;
const Ipv4Address kGroup = Ip4("239.81.82.1");
const MacAddress kGroupMac = Mac("01:00:5e:51:52:01");
const Ipv4Address kPeer4 = Ip4("198.51.100.12");
const MacAddress kPeerMac = Mac("02:22:22:22:22:20");
const NodeId kPeerId{0x22};
const BootId kPeerBoot{0x22, 1};
constexpr uint32_t kPeerKey = 0xeeeeeeee;  // its number, which Envelope writes
const Ipv4Address kBroadcast4 = Ip4("255.255.255.255");

void Clustered(Snapshot* s) {
  s->cluster_port = kPort;
  s->cluster_group = kGroup;
  s->node_address = kNode4;
}
// The peer is known, and the other side of the lease.
void Acquainted(Snapshot* s) {
  Clustered(s);
  const ClusterPeer peer{.node = kPeerId, .boot = kPeerBoot, .mac = kPeerMac, .keys = {{.id = kPeerKey, .key = {}}}};
  s->cluster_peers = std::make_shared<const ClusterPeers>(ClusterPeers{peer});
  HeartbeatPlan plan;
  plan.role = HeartbeatRole::kFollow;
  plan.peer = {.node = peer.node, .boot = peer.boot, .mac = peer.mac, .address = kPeer4, .keys = {}};
  s->heartbeater = std::make_shared<const HeartbeatPlan>(plan);
}
void AcquaintedShared(Snapshot* s) {
  Acquainted(s);
  Shared(s);
}
void ClusteredShared(Snapshot* s) {
  Clustered(s);
  Shared(s);
}

Bytes Envelope(Channel channel) {
  Bytes bytes(kEnvelopeOverhead + 3, 0xee);
  bytes[0] = kEnvelopeMagic >> 8;
  bytes[1] = kEnvelopeMagic & 0xff;
  bytes[2] = kEnvelopeVersion;
  bytes[3] = static_cast<uint8_t>(channel);
  auto* const header = reinterpret_cast<EnvelopeHeader*>(bytes.data());
  header->sender = kPeerId;
  header->boot = kPeerBoot;
  return bytes;
}

Bytes Datagram(const MacAddress& mac, const Ipv4Address& to, const Bytes& payload, uint16_t port = kPort,
               const MacAddress& from = kPeerMac, uint8_t ttl = 255) {
  const Ip4Header ip{.source = kPeer4, .destination = to, .protocol = 17, .ttl = ttl};
  return Pad(Build(Ether{mac, from, 0x0800}, Build(ip, Udp(kPeer4, to, kPort, port, payload))));
}

Case Taken(const char* name, const Bytes& frame, Reason reason, void (*site)(Snapshot*) = Clustered) {
  return {.name = name, .in = frame, .reason = reason, .out = frame, .site = site};
}

Case Dropped(const char* name, const Bytes& frame, Reason reason) {
  return {.name = name, .in = frame, .reason = reason, .site = Acquainted};
}

Bytes Candidate() {
  return {'Q', 'R', kEnvelopeVersion, static_cast<uint8_t>(Channel::kAdmission), 1, 0, 0, 0};
}

Bytes Longer(Bytes message) {
  message.resize(kMaxDatagram + 1);
  return message;
}

std::vector<Case> Datagrams() {
  const Bytes message = Envelope(Channel::kControl);
  const Bytes heartbeat = Envelope(Channel::kHeartbeat);
  const Bytes elsewhere = Datagram(kGroupMac, kGroup, message, kPort, kStrangerMac);
  Bytes rebooted = message;
  reinterpret_cast<EnvelopeHeader*>(rebooted.data())->boot = {0x22, 2};
  Bytes old_version = message;
  old_version[2] = kEnvelopeVersion - 1;
  return {
      Taken("message to the group", Datagram(kGroupMac, kGroup, message), Reason::cluster_message, Acquainted),
      Taken("message to all", Datagram(kBroadcastMac, kBroadcast4, message), Reason::cluster_message, Acquainted),
      Taken("message to this node", Datagram(kNodeMac, kNode4, message), Reason::cluster_message, Acquainted),
      Taken("heartbeat", Datagram(kNodeMac, kNode4, heartbeat), Reason::cluster_heartbeat, Acquainted),
      Taken("candidate, to all", Datagram(kBroadcastMac, kBroadcast4, Candidate()), Reason::cluster_adoption),
      Taken("offer, to this node", Datagram(kNodeMac, kBroadcast4, Candidate()), Reason::cluster_adoption),
      Dropped("too long for an adoption", Datagram(kNodeMac, kNode4, Longer(Candidate())), Reason::cluster_malformed),
      Dropped("adoption that passed a router", Datagram(kNodeMac, kNode4, Candidate(), kPort, kPeerMac, 254),
              Reason::cluster_routed),
      Taken("message of an unknown node", Datagram(kGroupMac, kGroup, message), Reason::cluster_stranger),
      Taken("message of another boot", Datagram(kGroupMac, kGroup, rebooted), Reason::cluster_stranger, Acquainted),
      Taken("message of a known boot from elsewhere", elsewhere, Reason::cluster_stranger, Acquainted),
      {.name = "heartbeat of an unknown node",
       .in = Datagram(kNodeMac, kNode4, heartbeat),
       .reason = Reason::heartbeat_unexpected,
       .site = Clustered},
      Dropped("heartbeat from elsewhere", Datagram(kNodeMac, kNode4, heartbeat, kPort, kStrangerMac),
              Reason::heartbeat_unexpected),
      Dropped("not an envelope", Datagram(kNodeMac, kNode4, {1, 2, 3}), Reason::cluster_malformed),
      Dropped("empty", Datagram(kNodeMac, kNode4, {}), Reason::cluster_malformed),
      Dropped("too long for an envelope", Datagram(kNodeMac, kNode4, Longer(message)), Reason::cluster_malformed),
      Dropped("of another version", Datagram(kNodeMac, kNode4, old_version), Reason::cluster_malformed),
      Dropped("message that passed a router", Datagram(kNodeMac, kNode4, message, kPort, kPeerMac, 254),
              Reason::cluster_routed),
      Dropped("heartbeat that passed a router", Datagram(kNodeMac, kNode4, heartbeat, kPort, kPeerMac, 1),
              Reason::cluster_routed),
      Taken("shared: message to the group", Datagram(kGroupMac, kGroup, message), Reason::cluster_message,
            AcquaintedShared),
      Taken("a copy of this node speaks to the group", Datagram(kGroupMac, kGroup, message, kPort, kNodeMac),
            Reason::cluster_stranger),
  };
}

// What only looks like the cluster's.
std::vector<Case> Others() {
  const Bytes message = Envelope(Channel::kControl);
  const Bytes other_port = Datagram(kGroupMac, kGroup, message, kPort + 1);
  const Bytes other_group = Datagram(Mac("01:00:5e:51:52:02"), Ip4("239.81.82.2"), message);
  const Bytes to_service = Datagram(kServiceMac4, kService4, message);
  const Bytes fragment = Build(
      Ether{kNodeMac, kPeerMac, 0x0800},
      Build(Ip4Header{.source = kPeer4, .destination = kNode4, .protocol = 17, .fragment = 0x2000}, Bytes(64, 0x1e)));
  Bytes short_udp = Datagram(kNodeMac, kNode4, message);
  PutBe16(&short_udp, 14 + 20 + 4, 7);
  const Bytes unclustered = Datagram(kGroupMac, kGroup, message);
  return {
      Taken("another port", other_port, Reason::host_group),
      Taken("another group", other_group, Reason::host_group),
      Taken("fragment", fragment, Reason::host_node),
      Taken("impossible UDP length", short_udp, Reason::host_node),
      {.name = "cluster port of a service address",
       .in = to_service,
       .reason = Reason::host_service,
       .out = ToKernel(to_service),
       .site = Clustered},
      {.name = "to another node",
       .in = Datagram(kStrangerMac, kNode4, message),
       .reason = Reason::other_mac,
       .site = Clustered},
      {.name = "our own frame came back",
       .in = Datagram(kGroupMac, kGroup, message, kPort + 1, kNodeMac),
       .reason = Reason::own_frame,
       .site = Clustered},
      {.name = "a copy of this node speaks to this node",
       .in = Datagram(kNodeMac, kNode4, message, kPort, kNodeMac),
       .reason = Reason::own_frame,
       .site = Clustered},
      {"a node without a cluster", unclustered, Reason::host_group, unclustered},
  };
}

// Queries go on to where they went, and the control thread hears of them.
std::vector<Case> Queries() {
  const Bytes v2 = {0x11, 50, 0xee, 0xcd, 0, 0, 0, 0};
  const Ipv4Address all_systems = Ip4("224.0.0.1");
  const Bytes igmp =
      Pad(Build(Ether{Mac("01:00:5e:00:00:01"), kGatewayMac, 0x0800},
                Build(Ip4Header{.source = kGateway4, .destination = all_systems, .protocol = 2, .ttl = 1}, v2)));
  const Event asked4{.kind = EventKind::kGroupQuery, .version = 2, .ip = Ip4("0.0.0.0"), .span = Seconds(5)};
  Bytes damaged = igmp;
  damaged[14 + 20 + 1] ^= 1;

  const Ipv6Address router = Ip6("fe80::1");
  const Ipv6Address all_nodes = Ip6("ff02::1");
  Bytes body(24);
  body[0] = 1000 >> 8;  // ms
  body[1] = 1000 & 0xff;
  const Bytes alert = {58, 0, 5, 2, 0, 0, 1, 0};
  const Bytes mld =
      Build(Ether{Mac("33:33:00:00:00:01"), kGatewayMac, 0x86dd},
            Build(Ip6Header{router, all_nodes, 0, 1}, Concat({alert, Icmp6(router, all_nodes, 130, 0, body)})));
  const Event asked6{.kind = EventKind::kGroupQuery, .version = 2, .ip = Ip6("::"), .span = Seconds(1)};
  Case shared{"shared: IGMP query", igmp, Reason::kernel_owned, std::nullopt, {asked4}};
  shared.site = ClusteredShared;
  Case query4{"IGMP query", igmp, Reason::host_group, igmp, {asked4}};
  query4.site = Clustered;
  Case query6{"MLD query", mld, Reason::host_group, mld, {asked6}};
  query6.site = Clustered;
  // Field case A7: a node without a cluster listens to the groups of its addresses, too.
  return {shared,
          query4,
          query6,
          Taken("damaged IGMP query", damaged, Reason::host_group),
          {"IGMP query to a node without a cluster", igmp, Reason::host_group, igmp, {asked4}},
          {"MLD query to a node without a cluster", mld, Reason::host_group, mld, {asked6}}};
}

Bytes FromNode(Bytes frame) {
  std::copy(kNodeMac.bytes.begin(), kNodeMac.bytes.end(), frame.begin() + 6);
  return frame;
}

}  // namespace

std::vector<Case> ClusterCases() {
  return Join({Datagrams(), Others(), Queries()});
}

// The tables of ping, DNS, ARP and ND again on a node that hands its addresses over.
std::vector<Case> HandoverCases() {
  std::vector<Case> cases = Join({EchoCases(), DnsCases(), ArpCases(), NeighborCases()});
  for (Case& c : cases) {
    c.name = "handing over: " + c.name;
    c.site = [site = c.site](Snapshot* s) {
      if (site) site(s);
      s->handing_over = true;
    };
    if (VerdictOf(c.reason) != Verdict::kAnswer) continue;
    const bool neighbor = c.reason == Reason::arp_reply || c.reason == Reason::neighbor_advertisement;
    if (!neighbor) {
      c.reason = Reason::handover_answer;
      c.out = FromNode(*c.out);
      continue;
    }
    c.out.reset();
    const bool probed = !c.events.empty() && c.events.back().kind == EventKind::kAddressProbed;
    const bool v4 = c.reason == Reason::arp_reply;
    c.reason = probed ? (v4 ? Reason::arp_noted : Reason::nd_noted) : Reason::not_serving;
    if (probed) continue;
    MacAddress client;
    std::copy_n(c.in.begin() + 6, 6, client.bytes.begin());
    Event wanted{.kind = EventKind::kAddressWanted, .mac = client, .ip = kService4};
    if (!v4) wanted.ip = kService6;
    c.events.push_back(wanted);
  }
  return cases;
}

}  // namespace qure::testing
