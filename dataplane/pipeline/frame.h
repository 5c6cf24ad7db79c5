// A frame in a contiguous buffer, as the packet path sees it: an mbuf in the appliance, plain memory in tests, fuzzers
// and `explain`.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "proto/bytes.h"
#include "proto/dns/lookahead.h"
#include "proto/event.h"
#include "proto/flow.h"
#include "proto/reason.h"

namespace qure {

// What is known of the checksum of a TCP segment or UDP datagram. It is partial if it is the sum of the pseudo-header
// alone, because the sender leaves the rest to a network card that the frame has not met: it comes from a host on the
// same machine, or a bridge there has cut a merged frame in pieces.
enum class SegmentChecksum : uint8_t {
  kUnknown,       // nobody has looked
  kGood,          // the port has verified it
  kMaybePartial,  // the port cannot tell
  kPartial,       // the port says so
};

struct Frame {
  uint8_t* data = nullptr;
  uint16_t length = 0;
  uint16_t headroom = 0;          // bytes before data that may be used
  uint16_t tailroom = 0;          // bytes behind data + length that may be used
  bool ip_checksum_good = false;  // the port has verified the IPv4 header checksum
  SegmentChecksum checksum = SegmentChecksum::kUnknown;

  ConstBytes bytes() const { return {data, length}; }
  MutableBytes mutable_bytes() { return {data, length}; }

  // Removes or inserts the 802.1Q tag behind the MAC addresses. Push returns false without headroom. Pop needs a tagged
  // frame.
  bool PushVlan(uint16_t id);
  void PopVlan();
};
static_assert(sizeof(Frame) == 16, "four of a batch share a cache line");

// Where things are in a frame: found once by the classifier, used by the stages. All offsets count from the start of
// the frame.
struct Parsed {
  uint16_t network = 0;    // the ARP, IPv4 or IPv6 header
  uint16_t transport = 0;  // the ICMP, UDP or TCP header; 0 if there is none (ARP, later fragments)
  uint16_t end = 0;        // behind the IP packet; link-layer padding follows
  bool tagged = false;
  bool is_v6 = false;  // of an IP packet
};

// How a frame to a service came.
enum class Entrance : uint8_t {
  kService,    // from the gateway, to the holder of the address
  kGroup,      // from the gateway, to all nodes
  kGroupHeld,  // the same, at the holder of the address
  kHop0,       // from a peer
  kHop1,       // from a peer, and not to be passed on
};
constexpr bool IsGroup(Entrance entrance) {
  return entrance == Entrance::kGroup || entrance == Entrance::kGroupHeld;
}

// What a packet means for its flow.
enum class FlowSign : uint8_t {
  kOpens,          // TCP SYN, or UDP, which may always be the first
  kGoesOn,         // TCP with an ACK
  kFinishes,       // TCP FIN
  kResets,         // TCP RST
  kStray,          // TCP without any of these flags, which no connection sends (RFC 9293 §3.10.7)
  kError,          // an ICMP error about it
  kLaterFragment,  // no ports: the key is that of the fragmented datagram
};

// A packet of a service on its way to the flow's owner.
struct FlowFacts {
  FlowKey key;
  Entrance entrance = Entrance::kService;
  FlowSign sign = FlowSign::kOpens;
  uint8_t service = 0;  // number in ServiceMap
  bool first_fragment = false;
  // Of a fragment: the datagram's. Of a RST the sequence number, of a FIN the one behind it. Otherwise, at a group
  // entrance: of a request that is repeated until it is answered, the sequence number of a SYN, or that of a DNS query;
  // 0: of no such request.
  uint32_t id = 0;
};

// Which stage works on a frame.
enum class Lane : uint8_t {
  kDone,  // none: the reason is final
  kArp,
  kNeighbor,
  kEcho4,
  kEcho6,
  kDns4,
  kDns6,
  kCluster,
  kFlow,         // of a balanced service: to the owner of the flow
  kReturn,       // a peer's reply on its way to the gateway
  kHostService,  // to a service address that this node's kernel serves
  kHostByMac,    // of no service: to the kernel, if its destination MAC says so
};

// The lanes that the frames of a burst are in.
class LaneSet {
 public:
  constexpr LaneSet() = default;
  constexpr LaneSet(std::initializer_list<Lane> lanes) {
    for (const Lane lane : lanes) Add(lane);
  }
  constexpr void Add(Lane lane) { bits_ |= 1u << static_cast<unsigned>(lane); }
  constexpr bool Any(LaneSet of) const { return (bits_ & of.bits_) != 0; }
  constexpr bool Within(LaneSet of) const { return (bits_ & ~of.bits_) == 0; }

 private:
  uint32_t bits_ = 0;
};

inline constexpr size_t kBurst = 32;

// A burst on its way through the pipeline. The arrays run in parallel.
struct Batch {
  size_t count = 0;
  std::array<Frame, kBurst> frames;
  std::array<Parsed, kBurst> parsed;
  std::array<FlowFacts, kBurst> flows;   // of frames in the lane kFlow
  std::array<DnsLookahead, kBurst> dns;  // of frames in the lanes kDns4 and kDns6
  std::array<Lane, kBurst> lanes;
  std::array<Reason, kBurst> reasons;  // final where the lane is kDone; set by the stages elsewhere

  // For the control thread. More than fit in one burst are lost: what they report is repeated on the wire.
  static constexpr size_t kMaxEvents = 8;
  size_t event_count = 0;
  std::array<Event, kMaxEvents> events;

  // Others may repeat it as often as they like: once a burst. Answers to our questions find room in any case.
  void Emit(const Event& event) {
    const auto end = events.begin() + event_count;
    if (std::any_of(events.begin(), end, [&event](const Event& e) { return IsSame(e, event); })) return;
    if (event_count < kMaxEvents) {
      events[event_count++] = event;
    } else if (event.answer) {
      const auto other = std::find_if(events.begin(), end, [](const Event& e) { return !e.answer; });
      if (other != end) *other = event;
    }
  }

  // One of this kind has been emitted: for kinds of which one in a burst is enough.
  bool Has(EventKind kind) const {
    return std::any_of(events.begin(), events.begin() + event_count, [kind](const Event& e) { return e.kind == kind; });
  }

 private:
  static bool IsSame(const Event& a, const Event& b) {
    return a.kind == b.kind && a.ip == b.ip && a.answer == b.answer && a.to == b.to;
  }
};

}  // namespace qure
