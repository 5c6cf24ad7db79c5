// `qurectl config edit`: the text that is in effect, in the operator's editor, and applied once it is saved. What was
// typed is never lost: where it is not applied its file stays.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace qure {

// `proposal`: confirm, canary and dry_run of the request. The answer of qured, with "file" if the file was kept;
// {"unchanged": true} if nothing was done. An error says where the file is. Refused at a terminal, it asks whether to
// edit it again. Unavailable: qured is not reachable.
absl::StatusOr<nlohmann::ordered_json> ConfigEdit(const std::string& socket, const nlohmann::json& proposal);
std::string ConfigEditText(const nlohmann::ordered_json& answer);

}  // namespace qure
