// What `qurectl dns` prints.
#pragma once

#include <string>

#include "nlohmann/json.hpp"

namespace qure {

// The answer of the control socket to any of the questions about names.
std::string DnsText(const nlohmann::ordered_json& answer);

}  // namespace qure
