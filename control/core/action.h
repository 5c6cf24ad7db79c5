// What the control core wants done. It never does anything itself.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/core/config.h"
#include "control/core/config/effects.h"
#include "control/core/stored.h"
#include "proto/cluster/node.h"
#include "proto/flow.h"
#include "proto/net/address.h"
#include "proto/snapshot.h"

namespace qure {

// Send an untagged frame to the LAN. `answer`: sourced from a service MAC, it must pass the lease gate.
struct SendFrame {
  std::vector<uint8_t> bytes;
  bool answer = false;
};

// Hand this forwarding state to the workers.
struct PublishSnapshot {
  std::shared_ptr<const Snapshot> snapshot;
};

// The gate opens, solo (LeaseGate::OpenSolo). `stalls_known`: those that this node had heard of when it began to listen
// for another master; `opening` counts the openings, and HeartbeatPlan::opening refers to it.
struct OpenGate {
  uint64_t stalls_known = 0;
  uint64_t opening = 0;
};
// `after_workers`: once no worker uses an older snapshot than the newest, or after a few milliseconds. Answers that
// they are just making still pass then: a handover loses nothing.
struct ShutGate {
  bool after_workers = false;
};

// Make `change` durable, then call Controller::OnPersisted with `ticket`. In the order of the tickets.
struct Persist {
  uint64_t ticket = 0;
  StoreChange change;
};

// A clone of this node's identity is active, and this node is the copy: draw a new node id and start again with it.
struct TakeNewIdentity {};

// This node has left its cluster: the same, and all that it has of the cluster is forgotten.
struct BeginAnew {};

// End at once, and start again: this process was restored from a snapshot (Transport::restored), or has got its key.
struct BecomeNewBoot {};

// All is handed over and sent: the process may end.
struct Finished {};

// The host port shall carry exactly these service addresses.
struct SetHostAddresses {
  std::vector<IpPrefix> addresses;
};

// The workers shall know that these flows are served by others, whatever owner the Maglev lookup table names.
struct LearnFlows {
  struct Lesson {
    FlowKey key;
    NodeSlot owner = kSelfSlot;
  };
  std::vector<Lesson> flows;
};

// Look the flow up in the workers' tables, then call Controller::OnFlowFound with this and what they have.
struct LookUpFlow {
  NodeId client{};      // this node or another
  uint64_t number = 0;  // the client's, of its question
  FlowKey key;
};

// What QueryFlow has come to.
struct FlowAnswered {
  uint64_t id = 0;                // QueryFlow::id
  bool answered = false;          // the other node did, or there was none to ask
  std::optional<FlowEntry> flow;  // none: not known; its `seen` means nothing
};

struct Log {
  LogLevel level = LogLevel::kInfo;
  std::string text;
};
template <typename... Parts>
Log MakeLog(LogLevel level, const Parts&... parts) {
  return {.level = level, .text = absl::StrCat(parts...)};
}

using Action = std::variant<SendFrame, PublishSnapshot, OpenGate, ShutGate, SetHostAddresses, Persist, TakeNewIdentity,
                            BeginAnew, BecomeNewBoot, Finished, LearnFlows, LookUpFlow, FlowAnswered,
                            clusterconfig::Validate, clusterconfig::Apply, clusterconfig::Answered, Log>;
using Actions = std::vector<Action>;

}  // namespace qure
