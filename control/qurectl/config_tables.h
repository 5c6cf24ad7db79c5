// The configuration that all nodes have, as text. Throws nlohmann::json::exception if the answer has another form.
#pragma once

#include <string>

#include "nlohmann/json.hpp"

namespace qure {

// Of every answer to a request of this kind that is no error.
std::string SharedConfigText(const nlohmann::ordered_json& answer);

}  // namespace qure
