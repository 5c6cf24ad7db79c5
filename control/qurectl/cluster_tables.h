// The cluster as the operator reads it. Each throws nlohmann::json::pinned flow if the answer has another form.
#pragma once

#include <string>

#include "nlohmann/json.hpp"

namespace qure {

// "3.17", "-" for nobody's.
std::string TermText(const nlohmann::ordered_json& term);
// "n2", "0a1b2c3d" if the name is not known, "-" for nobody.
std::string NodeText(const nlohmann::ordered_json& id, const nlohmann::ordered_json& name);

std::string NodesText(const nlohmann::ordered_json& nodes);
std::string LeadText(const nlohmann::ordered_json& term);
std::string HistoryText(const nlohmann::ordered_json& history);
std::string KeysText(const nlohmann::ordered_json& keys);

}  // namespace qure
