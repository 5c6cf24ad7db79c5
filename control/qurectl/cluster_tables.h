// The cluster as text. Each throws nlohmann::json::exception if the answer has another form.
#pragma once

#include <string>

#include "nlohmann/json.hpp"

namespace qure {

// "3.17"; "-": no term.
std::string TermText(const nlohmann::ordered_json& term);
// "n2"; "0a1b2c3d" if the name is not known; "-": no node.
std::string NodeText(const nlohmann::ordered_json& id, const nlohmann::ordered_json& name);

std::string NodesText(const nlohmann::ordered_json& nodes);
std::string LeadText(const nlohmann::ordered_json& term);
std::string HistoryText(const nlohmann::ordered_json& history);
std::string CandidatesText(const nlohmann::ordered_json& candidates);
std::string RollText(const nlohmann::ordered_json& roll);
std::string ClustersText(const nlohmann::ordered_json& clusters);
std::string TokensText(const nlohmann::ordered_json& tokens);
std::string KeysText(const nlohmann::ordered_json& keys);

}  // namespace qure
