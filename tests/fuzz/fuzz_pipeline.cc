// The whole packet path. The first input byte chooses the site and the direction, the rest is the frame:
//   bit 0: the LAN is VLAN 100   bit 1: shared mode   bit 2: from the host port   bit 3: checksums are repaired first
//   bit 4: a node of a cluster that hands its addresses over
//   bits 5-7: tailroom in steps of 80 bytes
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "dataplane/pipeline/cluster_filter.h"
#include "dataplane/pipeline/pipeline.h"
#include "proto/net/arp.h"
#include "proto/net/checksum.h"
#include "proto/net/ethernet.h"
#include "proto/net/icmp.h"
#include "proto/net/ip.h"
#include "proto/net/nd.h"
#include "proto/net/udp.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/harness.h"

namespace qure {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr uint16_t kHeadroom = 128;
constexpr uint16_t kVlan = 100;
constexpr size_t kMaxFrame = 9018;

struct Site {
  explicit Site(uint8_t choice)
      : from_host((choice & 4) != 0), repair((choice & 8) != 0), tailroom(static_cast<uint16_t>((choice >> 5) * 80)) {
    static const Snapshot base = testing::SiteSnapshot();
    snapshot = base;
    snapshot.vlan = (choice & 1) != 0 ? kVlan : 0;
    snapshot.dedicated = (choice & 2) == 0;
    if ((choice & 32) != 0) {  // one of the two ways to a peer, and replies that return by the master
      auto services = std::make_shared<ServiceMap>(*base.services);
      services->services[0].return_by_master = services->any_return_by_master = (choice & 64) != 0;
      if (snapshot.dedicated) {  // and frames may come to all nodes
        services->services[0].multicast = true;
        snapshot.addresses_v4[0].to_all = snapshot.addresses_v6[0].to_all = true;
        snapshot.IndexMacs();
      }
      snapshot.services = services;
      static const auto first = testing::OneOwner(testing::kPeer1, kSelfSlot);
      static const auto second = testing::OneOwner(kSelfSlot, testing::kPeer2);
      snapshot.balance = (choice & 128) != 0 ? first : second;
      snapshot.gateway_mac_v4 = snapshot.gateway_mac_v6 = testing::kGatewayMac;
    }
    if ((choice & 16) == 0) return;
    snapshot.handing_over = true;
    snapshot.cluster_port = 7873;
    snapshot.cluster_group = testing::Ip4("239.81.82.1");
    snapshot.node_address = testing::kNode4;
  }

  Snapshot snapshot;
  bool from_host;
  bool repair;
  uint16_t tailroom;
};

// The headers of a frame, where there are any.
struct Headers {
  EthernetHeader* ethernet = nullptr;
  bool tagged = false;
  uint16_t vlan = 0;
  ArpPacket* arp = nullptr;
  Ipv4Header* ip4 = nullptr;
  Ipv6Header* ip6 = nullptr;
  IpView view;
  MutableBytes segment;  // the whole transport segment, if it is in this frame
};

Headers HeadersOf(MutableBytes frame) {
  Headers h;
  EthernetView ethernet;
  if (ParseEthernet(frame, &ethernet)) return h;
  h.ethernet = MutableHeaderAt<EthernetHeader>(frame, 0);
  h.tagged = ethernet.tagged;
  h.vlan = ethernet.vlan;
  const MutableBytes payload = frame.subspan(ethernet.length);
  if (const ArpPacket* arp = nullptr; ethernet.ether_type == kEtherTypeArp && !ParseArp(payload, &arp)) {
    h.arp = MutableHeaderAt<ArpPacket>(payload, 0);
  }
  if (ethernet.ether_type == kEtherTypeIpv4 && !ParseIpv4(payload, true, &h.view)) {
    h.ip4 = MutableHeaderAt<Ipv4Header>(payload, 0);
  }
  if (ethernet.ether_type == kEtherTypeIpv6 && !ParseIpv6(payload, &h.view)) {
    h.ip6 = MutableHeaderAt<Ipv6Header>(payload, 0);
  }
  if (h.view.transport != 0 && !h.view.fragment) {
    h.segment = payload.subspan(h.view.transport, h.view.end - h.view.transport);
  }
  return h;
}

Be16 SegmentChecksum(const Headers& h, ConstBytes segment) {
  if (h.ip6 != nullptr) return TransportChecksum(h.ip6->source, h.ip6->destination, h.view.protocol, segment);
  if (h.view.protocol == kProtocolIcmp) return InternetChecksum(segment);
  return TransportChecksum(h.ip4->source, h.ip4->destination, h.view.protocol, segment);
}

// The segment that a transport checksum covers, and where in it the checksum is; empty if there is none to speak of.
std::pair<MutableBytes, size_t> Covered(const Headers& h) {
  const UdpHeader* udp = nullptr;
  if (h.view.protocol == kProtocolUdp && !ParseUdp(h.segment, &udp)) {
    return {h.segment.first(udp->length.value()), offsetof(UdpHeader, checksum)};
  }
  const uint8_t icmp = h.ip6 != nullptr ? kProtocolIcmpv6 : kProtocolIcmp;
  if (h.view.protocol == icmp && h.segment.size() >= sizeof(IcmpHeader)) {
    return {h.segment, offsetof(IcmpHeader, checksum)};
  }
  return {};
}

// A mutation rarely hits the right checksum: with it, what lies behind the check is reached.
void RepairChecksums(MutableBytes frame) {
  const Headers h = HeadersOf(frame);
  if (h.ip4 != nullptr) {
    const ConstBytes header(reinterpret_cast<const uint8_t*>(h.ip4), h.ip4->header_length());
    h.ip4->checksum = Be16(0);
    h.ip4->checksum = InternetChecksum(header);
  }
  const auto [segment, offset] = Covered(h);
  if (segment.empty()) return;
  auto* checksum = MutableHeaderAt<Be16>(segment, offset);
  *checksum = Be16(0);
  *checksum = SegmentChecksum(h, segment);
}

struct Result {
  Reason reason;
  Bytes frame;
  size_t events;
};

// Runs one frame in a buffer of exactly headroom, frame and tailroom.
Result Run(const Site& site, bool from_host, ConstBytes input) {
  const size_t room = kHeadroom + input.size() + site.tailroom;
  const auto buffer = std::make_unique<uint8_t[]>(room);
  std::copy(input.begin(), input.end(), buffer.get() + kHeadroom);
  Batch batch;
  batch.count = 1;
  Frame& frame = batch.frames[0];
  frame = {.data = buffer.get() + kHeadroom,
           .length = static_cast<uint16_t>(input.size()),
           .headroom = kHeadroom,
           .tailroom = site.tailroom};
  FlowTable table(testing::kFlows, testing::kFlowSeed);
  RequestWatch requests;
  DnsLimiter limiter(testing::kFlowSeed);
  const WorkerMemory memory{.flows = {.table = &table, .requests = &requests}, .dns = {.limiter = &limiter}, .now = {}};
  if (from_host) {
    ProcessHost(site.snapshot, memory, &batch);
  } else {
    ProcessLan(site.snapshot, memory, &batch);
  }
  FUZZ_CHECK(static_cast<size_t>(batch.reasons[0]) < kReasonCount);
  FUZZ_CHECK(batch.event_count <= Batch::kMaxEvents);
  FUZZ_CHECK(frame.data - frame.headroom == buffer.get());
  FUZZ_CHECK(size_t{frame.headroom} + frame.length + frame.tailroom == room);
  return {batch.reasons[0], fuzz::Copy(frame.bytes()), batch.event_count};
}

const ServiceAddress* AnsweringAddress(const Snapshot& snapshot, const Headers& h) {
  if (h.arp != nullptr) return snapshot.Find(h.arp->sender_ip);
  if (h.ip4 != nullptr) return snapshot.Find(h.ip4->source);
  return h.ip6 != nullptr ? snapshot.Find(h.ip6->source) : nullptr;
}

// `handing_over`: from the node MAC, where no lease is asked for.
void CheckAnswerHeaders(const Snapshot& snapshot, const Headers& h, bool handing_over) {
  FUZZ_CHECK(h.ethernet != nullptr && h.vlan == snapshot.vlan);
  const ServiceAddress* from = AnsweringAddress(snapshot, h);
  FUZZ_CHECK(from != nullptr && from->serving);
  FUZZ_CHECK(h.ethernet->source == (handing_over ? snapshot.node_mac : from->mac));
  if (h.ip4 != nullptr) {
    FUZZ_CHECK(InternetChecksum({reinterpret_cast<const uint8_t*>(h.ip4), h.ip4->header_length()}) == Be16(0));
    FUZZ_CHECK(!h.ip4->destination.is_multicast() && !h.ip4->destination.is_zero());
  }
  if (h.ip6 != nullptr) {
    FUZZ_CHECK(!h.ip6->destination.is_zero());
    FUZZ_CHECK(!h.ip6->destination.is_multicast() || h.ip6->destination == kAllNodes);
  }
  FUZZ_CHECK(!handing_over || h.arp == nullptr);
  if (h.arp != nullptr) return;
  const auto [segment, offset] = Covered(h);
  FUZZ_CHECK(!segment.empty());
  FUZZ_CHECK(SegmentChecksum(h, segment) == Be16(0));
}

// The answer comes back to the service MAC from whom it went to: addresses and ports turned round, checksums still
// good.
void Mirror(MutableBytes frame) {
  const Headers h = HeadersOf(frame);
  std::swap(h.ethernet->destination, h.ethernet->source);
  if (h.ethernet->source.is_multicast()) h.ethernet->source = testing::kStrangerMac;
  if (h.ip4 != nullptr) std::swap(h.ip4->source, h.ip4->destination);
  if (h.ip6 != nullptr) std::swap(h.ip6->source, h.ip6->destination);
  if (h.view.protocol != kProtocolUdp) return;
  if (auto* udp = MutableHeaderAt<UdpHeader>(h.segment, 0)) std::swap(udp->source_port, udp->destination_port);
}

bool IsAnswer(Reason reason) {
  return VerdictOf(reason) == Verdict::kAnswer || reason == Reason::handover_answer;
}

void CheckAnswer(const Site& site, const Result& result) {
  Bytes frame = result.frame;
  const bool handing_over = result.reason == Reason::handover_answer;
  FUZZ_CHECK(handing_over == site.snapshot.handing_over);
  CheckAnswerHeaders(site.snapshot, HeadersOf(frame), handing_over);
  // No answer is answered: neither looped back nor reflected by a machine that turns it round.
  FUZZ_CHECK(VerdictOf(Run(site, false, frame).reason) == Verdict::kDrop);
  Mirror(frame);
  FUZZ_CHECK(!IsAnswer(Run(site, false, frame).reason));
}

// As it came, with an envelope or whatever else within the packet.
void CheckToControl(const Site& site, const Bytes& input, const Result& result) {
  FUZZ_CHECK(site.snapshot.cluster_port != 0 && result.frame == input);
  Bytes frame = result.frame;
  const Headers h = HeadersOf(frame);
  FUZZ_CHECK(h.ip4 != nullptr && !h.segment.empty());
  const auto transport = static_cast<uint16_t>(h.segment.data() - frame.data());
  const ConstBytes payload = ClusterPayload(frame, transport);
  FUZZ_CHECK(payload.data() + payload.size() <= h.segment.data() + h.segment.size());
}

void CheckToKernel(const Snapshot& snapshot, Bytes frame) {
  const Headers h = HeadersOf(frame);
  FUZZ_CHECK(h.ethernet != nullptr && !h.tagged);
  FUZZ_CHECK(h.ethernet->destination == snapshot.node_mac || h.ethernet->destination.is_multicast());
}

// Only the MAC addresses are others.
void CheckForwarded(const Snapshot& snapshot, const Bytes& input, const Bytes& frame) {
  FUZZ_CHECK(snapshot.balance != nullptr && frame.size() == input.size());
  FUZZ_CHECK(std::equal(frame.begin() + 12, frame.end(), input.begin() + 12));
  Bytes copy = frame;
  const Headers h = HeadersOf(copy);
  FUZZ_CHECK(h.ethernet->source == snapshot.node_mac);
  bool to_peer = false;
  for (size_t i = 1; i < snapshot.balance->slots; ++i) {
    const BalanceNode& node = snapshot.balance->nodes[i];
    to_peer |= h.ethernet->destination == node.hop0 || h.ethernet->destination == node.hop1;
  }
  FUZZ_CHECK(to_peer);
}

void CheckReturned(const Snapshot& snapshot, Bytes frame) {
  const Headers h = HeadersOf(frame);
  FUZZ_CHECK(snapshot.balance != nullptr && (h.ip4 != nullptr || h.ip6 != nullptr));
  const ServiceAddress* from = h.ip4 != nullptr ? snapshot.Find(h.ip4->source) : snapshot.Find(h.ip6->source);
  FUZZ_CHECK(from != nullptr && from->serving && h.ethernet->source == from->mac);
}

// Nothing of the kernel's speaks for a service address, be it held or not.
void CheckFromKernel(const Snapshot& snapshot, Bytes frame) {
  const Headers h = HeadersOf(frame);
  FUZZ_CHECK(h.ethernet != nullptr && h.tagged == (snapshot.vlan != 0) && h.vlan == snapshot.vlan);
  FUZZ_CHECK(!snapshot.IsServiceMac(h.ethernet->source));
  if (h.arp != nullptr) {
    FUZZ_CHECK(snapshot.Find(h.arp->sender_ip) == nullptr);
    FUZZ_CHECK(!h.arp->is_probe() || snapshot.Find(h.arp->target_ip) == nullptr);
  }
  NeighborView neighbor;
  if (h.ip6 != nullptr && h.view.protocol == kProtocolIcmpv6 && !ParseNeighbor(*h.ip6, h.segment, &neighbor)) {
    FUZZ_CHECK(snapshot.Find(h.ip6->source) == nullptr);
    const bool claims = neighbor.dad || neighbor.message->type == kNeighborAdvertisement;
    FUZZ_CHECK(!claims || snapshot.Find(neighbor.message->target) == nullptr);
  }
}

}  // namespace
}  // namespace qure

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace qure;
  if (size < 1 || size > kMaxFrame) return 0;
  const Site site(data[0]);
  Bytes frame(data + 1, data + size);
  if (site.repair) RepairChecksums(frame);

  const Result result = Run(site, site.from_host, frame);
  const Result again = Run(site, site.from_host, frame);
  FUZZ_CHECK(result.reason == again.reason && result.frame == again.frame && result.events == again.events);

  switch (VerdictOf(result.reason)) {
    case Verdict::kDrop:
      break;
    case Verdict::kHost:
      FUZZ_CHECK(!site.from_host);
      CheckToKernel(site.snapshot, result.frame);
      break;
    case Verdict::kLan:
      if (result.reason == Reason::handover_answer) {
        FUZZ_CHECK(!site.from_host);
        CheckAnswer(site, result);
        break;
      }
      if (!site.from_host) {
        CheckForwarded(site.snapshot, frame, result.frame);
        break;
      }
      CheckFromKernel(site.snapshot, result.frame);
      break;
    case Verdict::kControl:
      FUZZ_CHECK(!site.from_host);
      CheckToControl(site, frame, result);
      break;
    case Verdict::kAnswer:
      if (result.reason == Reason::return_service) {
        CheckReturned(site.snapshot, result.frame);
        break;
      }
      FUZZ_CHECK(!site.from_host);
      CheckAnswer(site, result);
      break;
  }
  return 0;
}
