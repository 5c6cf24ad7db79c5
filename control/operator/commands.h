// From requests on the control socket to commands of the control core.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "control/core/command.h"
#include "control/core/controller.h"
#include "control/operator/request_kind.h"
#include "nlohmann/json.hpp"

namespace qure {

// {"command": "maintenance", "on": true}
// {"command": "handover"} or {"command": "handover", "node": NAME-OR-ID-PREFIX}
// {"command": "drain", "on": true, "node": …, "deadline": SECONDS or null}: null: none; left out: as configured
// {"command": "forget", "node": …}
// {"command": "weight", "node": …, "service": NAME, "weight": 3}: without a weight: as configured
// {"command": "key", "action": "add", "id": 2, "key": HEX} or {…, "action": "use" | "remove", "id": 2}
// {"command": "admit", "code": CODE-OR-FINGERPRINT}
// {"command": "cluster", "action": "found" | "enrol"}: the first draws a recovery code
// Nothing if a request of this kind changes nothing; InvalidArgument or NotFound if it does, but is invalid.
std::optional<absl::StatusOr<Command>> ReadCommand(RequestKind kind, const nlohmann::json& request,
                                                   const ControllerStatus& status);

enum class Meant : uint8_t {
  kPresent,  // a node that is there before its twin that is not: a machine that was replaced keeps its name
  kGone,     // the other way round
};
// The node of that name, or the only one whose id begins so.
absl::StatusOr<NodeId> FindNode(std::string_view name_or_prefix, const ControllerStatus& status,
                                Meant meant = Meant::kPresent);

}  // namespace qure
