// What the workers report to the control thread: small fixed values through a ring, rate-limited at the source.
#pragma once

#include <cstddef>
#include <cstdint>

#include "proto/cluster/node.h"
#include "proto/flow.h"
#include "proto/net/address.h"
#include "proto/time.h"

namespace qure {

enum class EventKind : uint8_t {
  kAddressUsed,      // ARP or ND from the LAN shows that `mac` has the service address `ip`
  kAddressProbed,    // `mac` probes for the service address `ip` (RFC 5227 §2.1.1, RFC 4862 §5.4.3)
  kAddressWanted,    // `mac` asks for the service address `ip`, which this node does not answer for
  kNodeAddressUsed,  // ARP from the LAN shows that `mac` has this node's own address `ip`
  kNeighbor,         // an answer of the gateway `ip` from `mac`, to `to` alone; to a question of ours or not
  kGatewayHint,      // a frame says that the gateway `ip` is at `mac`, and answers nothing
  kLanHeard,         // some other host is there: it has sent an ARP frame to all (Snapshot::reports_lan)
  kServiceMacSeen,   // a frame sourced from our service MAC came from the LAN: another node holds it
  kGroupQuery,       // an IGMP or MLD query for the group `ip` (0: all groups); answer within `span`; `version` of it
  kHeavyHitter,      // the remote address `ip` opens flows: `many`, or enough to keep a heavy hitter
  kUnanswered,       // the remote address `ip` repeats a request that the node `slot` should have answered
  kWayInAnswer,      // the kernel has answered the question `number` of a health check (way_in.h), `open` or not
  kStalled,          // a worker's loop stood still for `span`; `stalls` is LeaseGate::stalls() with this one

  // The control thread's own, from the LAN port.
  kLinkDown,  // its link is down: LeaseGate::SetLink has shut the gate
  kLinkUp,    // it is up again; `stalls` is LeaseGate::stalls(), with one for this
  // … and from the kernel.
  kClockUnfit,  // its clock counts timer ticks: no lease can be kept by it
  kClockFit,    // it does not any more

  // The heartbeater's. `term` is the plan's, unless noted, and `span` is D in force.
  kDeputyReady,     // master, offering: the peer acknowledges and is ready
  kLeaseLost,       // master: 3/4 D without acknowledgement, the gate has shut
  kLeaseRenewed,    // master: an acknowledgement came after kLeaseLost; the gate is open again
  kLeaseLapsed,     // master: 7/4 D without acknowledgement
  kMasterSuspect,   // deputy: no heartbeat for D less kVetoLead: ask the LAN who has the address
  kMasterBack,      // deputy: a heartbeat came after kMasterSuspect
  kMasterSilent,    // deputy: no heartbeat for D, our own loop went round, the receive queue is empty
  kClocksDiffer,    // deputy: its clock and the master's differ too much to take over; `ppm`: ours by the master's
  kClocksAgree,     // deputy: they do not any more
  kStaleHeartbeat,  // a heartbeat or acknowledgement of the plan's peer names another term: `term`
};
inline constexpr size_t kEventKindCount = static_cast<size_t>(EventKind::kStaleHeartbeat) + 1;

struct Event {
  EventKind kind = EventKind::kNeighbor;
  MacAddress mac;
  MacAddress to;  // kNeighbor
  uint8_t version = 0;
  bool many = false;
  // kNeighbor, kAddressUsed: it came to one of our MACs alone, from where an answer to our question would come: the MAC
  // at which the gateway is known, or the service MAC.
  bool answer = false;
  NodeSlot slot = kSelfSlot;
  bool open = false;
  uint32_t number = 0;
  IpAddress ip;
  Duration span;
  int64_t ppm = 0;
  uint64_t stalls = 0;
  MonoTime at;  // kMasterSilent: when it was found; `span` is D. A report that comes late may be about a past master
  Term term;
};

}  // namespace qure
