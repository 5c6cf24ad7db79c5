// What a node shows of its cluster: its nodes, its term, its history.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "control/core/cluster/history.h"
#include "control/core/controller.h"
#include "nlohmann/json.hpp"

namespace qure {

// A hybrid logical time as RFC 3339 has it, in UTC.
std::string WallText(uint64_t logical);

// The answers of the control socket. What is unknown is null; ids and lineages are hexadecimal.
nlohmann::ordered_json TermJson(const Term& term);  // {"era", "epoch", "holder"}; null: none
nlohmann::ordered_json NodesJson(const ControllerStatus& status);
nlohmann::ordered_json TermAnswer(const ControllerStatus& status);
// The clusters of this LAN, as they announce themselves, and this node's own, which has this name.
nlohmann::ordered_json ClustersJson(const ControllerStatus& status, const std::string& name, MonoTime now);
nlohmann::ordered_json TokensJson(const ControllerStatus& status);
nlohmann::ordered_json KeysJson(const ControllerStatus& status);
// Nodes without a key that this node hears; and what it waits for itself, if it is one: null if not.
nlohmann::ordered_json CandidatesJson(const ControllerStatus& status, MonoTime now);
// Who belongs to the cluster, by its records. "cluster" is null where none are kept.
nlohmann::ordered_json RollJson(const ControllerStatus& status);

inline constexpr size_t kDefaultHistory = 100;  // events of an answer
inline constexpr size_t kMostHistory = 2000;

// The newest `limit` events, oldest first; the summaries of older eras; the steps of "nodes online". `now_ms`: wall
// clock.
nlohmann::ordered_json HistoryJson(const History& history, const ControllerStatus& status, size_t limit,
                                   uint64_t now_ms);

// How the last takeover of this node went, `now`; null if it never took over.
nlohmann::ordered_json TakeoverJson(const std::optional<TakeoverRecord>& takeover, MonoTime now);

}  // namespace qure
