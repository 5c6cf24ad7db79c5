// `qurectl explain`: what would become of a packet from a remote socket to a local one. Runs the production pipeline on
// a made-up frame, with a copy of what the workers know; nothing is sent and nothing remembered.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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

// What the flow table of the workers has for a key.
using FlowLookup = std::function<std::optional<FlowEntry>(const FlowKey&)>;

// The steps, as the master would take them with the snapshot and the flows of this node.
nlohmann::ordered_json Explain(const ExplainQuestion& question, const Snapshot& snapshot, const FlowLookup& lookup,
                               const ControllerStatus& status);

}  // namespace qure
