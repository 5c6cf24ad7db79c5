// Sends a request to a running qured through its control socket.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace qure {

// The answer to `request`, {"command": …, …}. Unavailable without an answer at `socket_path` within 20 s.
absl::StatusOr<nlohmann::ordered_json> Ask(const std::string& socket_path, const nlohmann::json& request);
// The same, but FailedPrecondition for a refusal.
absl::StatusOr<nlohmann::ordered_json> AskForAnswer(const std::string& socket_path, const nlohmann::json& request);

}  // namespace qure
