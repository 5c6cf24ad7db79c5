// Asks a running qured through its control socket.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace qure {

// The answer to `command`. Unavailable if nobody answers at `socket_path` within 10 s.
absl::StatusOr<nlohmann::ordered_json> Ask(const std::string& socket_path, std::string_view command);

}  // namespace qure
