// From the words on the command line to a request to qured.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace qure {

// Nothing if there is no such command, or its words are too many or too few: wrong usage. An error if they are right in
// form but cannot be sent, with the reason (a file that holds no key).
std::optional<absl::StatusOr<nlohmann::json>> RequestFor(const std::vector<std::string_view>& words);

}  // namespace qure
