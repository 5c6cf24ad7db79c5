// One verdict on the whole cluster, from what this node knows: does it serve, and would it still if a node died?
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/operator/status.h"
#include "nlohmann/json.hpp"

namespace qure {

// In the order of what is worse; also the exit status of `qurectl status`.
enum class VerdictState : uint8_t {
  kServing = 0,
  kDegraded = 1,    // all service addresses are served, but something needs a look
  kNotServing = 2,  // at least one service address is not
};
std::string_view NameOf(VerdictState state);

struct ClusterVerdict {
  VerdictState state = VerdictState::kServing;
  std::vector<std::string> reasons;  // why it is not kServing: those of this state
};

ClusterVerdict VerdictOf(const NodeStatus& status);
nlohmann::ordered_json VerdictJson(const ClusterVerdict& verdict);

}  // namespace qure
