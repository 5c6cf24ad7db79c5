// The configuration that all nodes have, over the control socket: requests read, answers made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/core/command.h"
#include "control/core/controller_status.h"
#include "nlohmann/json.hpp"

namespace qure {

// What an operator at this node has asked for, while it is under way.
struct ConfigOrder {
  std::string file = "config";      // how he calls the text
  std::optional<Duration> confirm;  // to confirm it within; absent: it needs none, or he confirms now
  bool dry_run = false;
};

using ConfigHistory = std::vector<clusterconfig::ConfigStatus::Past>;

// {"command": "shared_config", "action": "apply", "text": …, "file": …, "base": VERSION, "confirm": SECONDS,
// "canary": false, "dry_run": true}; "base": refused unless this is in effect; "confirm" 0: it needs none. Those left
// out are as in ProposeConfig. InvalidArgument if it is unsound.
absl::StatusOr<ProposeConfig> ReadProposal(const nlohmann::json& request, std::string text,
                                           const ConfigHistory& history);
// The same with {"action": "rollback", "number": N} in place of text and base.
absl::StatusOr<ProposeConfig> ReadRollback(const nlohmann::json& request, const ConfigHistory& history);
ConfigOrder OrderOf(const nlohmann::json& request, const ProposeConfig& proposal);

// What is in effect here and at the others, and what waits.
nlohmann::ordered_json SharedConfigJson(const ControllerStatus& status);
// {"history": […]}: the versions that this node knows, the last one first.
nlohmann::ordered_json ConfigHistoryJson(const ConfigHistory& history);
// {"action": "text", "number": N} or {…, "version": …}: NotFound says whether that is not known, or its text not here.
absl::StatusOr<clusterconfig::PastVersion> FindText(const nlohmann::json& request, const ConfigHistory& history);
nlohmann::ordered_json ConfigTextJson(const clusterconfig::Version& version, const clusterconfig::Body& text);
// What has come of it; a refusal has "error": WHERE: what is wrong; what would be right (which node said so).
nlohmann::ordered_json AnsweredJson(const clusterconfig::Answered& answered, const ConfigOrder& order,
                                    const ControllerStatus& status);

// What was not even asked of the others: "error" as it is, and where, why and what would be right of the first error.
nlohmann::ordered_json RefusalJson(const absl::Status& refusal);

// For the verdict of this node: nodes that are here and cannot run what is in effect, by name or id.
std::string UnableNodes(const ControllerStatus& status);

}  // namespace qure
