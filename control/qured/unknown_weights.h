// Weights in the configuration that name a node that is not there: a slip of the pen, or a node that has left.
#pragma once

#include <string>
#include <vector>

#include "control/core/config.h"
#include "control/core/controller_status.h"

namespace qure {

// One line for each such name, with the names that are known. `nodes`: this node and all that it has heard of.
std::vector<std::string> UnknownWeights(const ClusterConfig& config, const std::vector<NodeRow>& nodes);

}  // namespace qure
