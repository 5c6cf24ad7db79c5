// The balance as qurectl and the metrics show it.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "control/core/controller.h"
#include "control/io/status.h"
#include "proto/flow.h"

namespace qure {

nlohmann::ordered_json ServicesJson(const ControllerStatus& status);
// Flows in this node's tables, by owner, and how the tables are doing.
nlohmann::ordered_json FlowsJson(const ControllerStatus& status, const WorkerList& workers);

// What became of an order for `node`: {"done": "n2 drains"}.
nlohmann::ordered_json DoneJson(const ControllerStatus& status, const NodeId& node, std::string_view what);

}  // namespace qure
