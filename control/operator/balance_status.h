// The balance as the control socket shows it.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "control/core/controller.h"
#include "control/operator/status.h"
#include "dataplane/pipeline/top_watch.h"
#include "proto/services.h"

namespace qure {

// Seconds until a draining node gives up its flows; 0: it has; null: there is no deadline.
nlohmann::ordered_json DrainLeftJson(const NodeRow& row);
nlohmann::ordered_json ServicesJson(const ControllerStatus& status);
// Flows in this node's tables, by owner, and the tables' counters.
nlohmann::ordered_json FlowsJson(const ControllerStatus& status, const WorkerList& workers);

inline constexpr size_t kDefaultTop = 10;  // remote addresses of an answer

// The remote addresses with the most flows in this node's tables, at most `limit`, as of each worker's last whole pass
// over its table: each flow was looked at within about the last 20 s. "flows" are certain, "at_most" are possible, and
// "others_at_most" is what any address that is not listed can have (dataplane/pipeline/top_watch.h). `services`: may be
// null.
nlohmann::ordered_json TopJson(const ControllerStatus& status, const ServiceMap* services,
                               const std::vector<TopRemotes>& workers, size_t limit);

// The effect of a command for `node`: {"done": "n2 drains"}.
nlohmann::ordered_json DoneJson(const ControllerStatus& status, const NodeId& node, std::string_view what);

}  // namespace qure
