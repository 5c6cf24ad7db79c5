// What the packets of either side mean for a flow: the table under "Flows" in docs/invariants.md.
//
// Only its owner sees both sides. There a flow is provisional (kOpening) until this node's kernel has answered, and
// ends when both sides have ended it. What others serve is a cache: their entries follow what the remote side sends,
// and give way when there is no room, unless their owner has vouched for them (pinned).
#pragma once

#include <cstdint>

#include "dataplane/pipeline/frame.h"
#include "proto/balance.h"
#include "proto/flow.h"
#include "proto/net/ip.h"

namespace qure {

// What of a packet an entry hears besides: the lower halves of TCP's numbers (RFC 9293 §3.4).
struct FlowNumbers {
  uint16_t given = 0;         // of the remote side: of its RST the sequence number, of its FIN the one behind it
  uint16_t acknowledged = 0;  // of the kernel: what it expects next
};

// A packet of the remote side. `expected` belongs to the entry.
void OnRemotePacket(FlowSign sign, FlowNumbers numbers, FlowEntry* entry, uint16_t* expected);
// A packet of this node's kernel, for a flow that this node owns.
void OnKernelPacket(FlowSign sign, FlowNumbers numbers, FlowEntry* entry, uint16_t* expected);

// Whether what the remote side sends now can change the entry at all: rarely, once a flow is established.
inline bool IsNews(FlowSign sign, const FlowEntry& entry) {
  if (entry.state == FlowState::kDatagrams) return false;
  const bool usual = sign == FlowSign::kGoesOn && entry.state == FlowState::kEstablished;
  return !usual && sign != FlowSign::kError && sign != FlowSign::kStray;
}

// A flow to a service whose check fails at its owner and not everywhere: any of UDP, and a connection that was never
// answered. Its next request goes to a node that works.
inline bool LeavesItsOwner(const Balance& balance, uint8_t service, const FlowEntry& entry) {
  if (!balance.IsUnhealthy(service, entry.owner)) return false;
  return entry.key.protocol != kProtocolTcp || (entry.state == FlowState::kOpening && !entry.answered);
}

}  // namespace qure
