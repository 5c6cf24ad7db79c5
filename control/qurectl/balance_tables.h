// The balance as text.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace qure {

std::string ServicesText(const nlohmann::ordered_json& services);
std::string FlowsText(const nlohmann::ordered_json& flows);
// The member "top" of the flows.
std::string TopText(const nlohmann::ordered_json& top);
std::string ExplainText(const nlohmann::ordered_json& steps);

}  // namespace qure
