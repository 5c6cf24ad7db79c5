// `qurectl explain`: what would become of a packet from a remote socket to a local one. Runs the production pipeline on
// a made-up frame, with a copy of what the deciding node's workers know; nothing is sent and nothing remembered.
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

// {"from": …, "to": …, "protocol": "tcp" | "udp"}. InvalidArgument says what would be right.
absl::StatusOr<ExplainQuestion> ReadExplainQuestion(const nlohmann::json& request);

// The flow that such a packet is of; none: it is not to a service address.
std::optional<FlowKey> FlowOf(const ExplainQuestion& question, const Snapshot& snapshot);

// Who decides about the flow: the master, or, where packets come to all nodes, the one whose share it is.
NodeSlot DeciderOf(const FlowKey& key, const Snapshot& snapshot);

// The steps as the one who decides takes them, whichever node is asked: this node's snapshot is turned into that one's,
// and `flow` is what its workers know (QueryFlow).
nlohmann::ordered_json Explain(const ExplainQuestion& question, const Snapshot& snapshot, const FlowAnswered& flow,
                               const ControllerStatus& status);

}  // namespace qure
