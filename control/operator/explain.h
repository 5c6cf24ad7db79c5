// `qurectl explain`: what would happen to a packet from a remote socket to a local one. Runs the production pipeline on
// a synthetic frame, with a copy of what the deciding node's workers know. Nothing is sent, nothing is remembered.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "control/core/controller.h"
#include "nlohmann/json.hpp"
#include "proto/flow.h"
#include "proto/snapshot.h"

namespace qure {

// A packet as an operator names it: "203.0.113.7:40000", "[2001:db8::7]:40000".
struct ExplainQuestion {
  IpAddress source;
  IpAddress destination;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint8_t protocol = 6;  // TCP or UDP
};

// {"from": …, "to": …, "protocol": "tcp" | "udp"}. InvalidArgument explains the right form.
absl::StatusOr<ExplainQuestion> ReadExplainQuestion(const nlohmann::json& request);

// The flow of such a packet; none: it is not to a service address.
std::optional<FlowKey> FlowOf(const ExplainQuestion& question, const Snapshot& snapshot);

// The node that decides about the flow: the master, or, where packets come to all nodes, the owner by the Maglev lookup
// table.
NodeSlot DeciderOf(const FlowKey& key, const Snapshot& snapshot);

// The steps of the deciding node, whichever node is asked: this node's snapshot is turned into that one's, and `flow`
// is what its workers know (QueryFlow).
nlohmann::ordered_json Explain(const ExplainQuestion& question, const Snapshot& snapshot, const FlowAnswered& flow,
                               const ControllerStatus& status);

}  // namespace qure
