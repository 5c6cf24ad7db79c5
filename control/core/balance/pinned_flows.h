// Reports the pinned flows of this node to the master and the deputy: reliably, in small messages, a few on their way
// at a time. A pure state machine.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "control/core/action.h"
#include "control/core/cluster/membership.h"
#include "control/core/cluster/transport.h"
#include "proto/flow.h"
#include "proto/time.h"

namespace qure {

// A flow by its addresses: local_address of the key is not used.
struct OwnedFlow {
  FlowKey key;
  IpAddress local;
};

class PinnedFlowReporter {
 public:
  // From now on these nodes get the reports; what others have not acknowledged is forgotten.
  void SetTargets(const std::vector<NodeId>& targets);
  void Report(const std::vector<OwnedFlow>& flows);
  void OnTaken(const NodeId& from, uint32_t seq);
  void Tick(MonoTime now, const Membership& members, Transport* transport, Actions* out);
  MonoTime deadline() const;
  // All that was reported was acknowledged by all targets, or given up.
  bool done() const;

 private:
  struct Waiting {
    wire::Message message;
    uint32_t seq = 0;
    int tries = 0;
    MonoTime next;
  };

  uint32_t last_seq_ = 0;
  std::map<NodeId, std::deque<Waiting>> waiting_;
};

wire::FlowGroup WriteFlow(const OwnedFlow& flow);
// None if the group is unsound. The keys' local_address is 0, which no address has.
std::vector<OwnedFlow> ReadFlows(const wire::FlowGroup& group);
// The flows of a message; groups that are unsound are left out.
std::vector<OwnedFlow> ReadPinnedFlows(const wire::PinnedFlows& message);

}  // namespace qure
