// From the words on the command line to a request to qured.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/qurectl/command_table.h"
#include "nlohmann/json.hpp"

namespace qure {

// `line` begins with the words of the command (FindCommand). Nothing if its arguments are too few, too many or of the
// wrong form: wrong usage. An error if they are right in form but cannot be sent, with the reason (a file without a
// key).
std::optional<absl::StatusOr<nlohmann::json>> RequestFor(const OperatorCommand& command,
                                                         const std::vector<std::string_view>& line);

}  // namespace qure
