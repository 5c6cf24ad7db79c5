// The part of a configuration file that is the cluster's, as the operator wrote it, apart from what is a node's own:
// [node], and how the node finds and believes the others (IsNodesOwn in config_keys.h).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/core/config/effects.h"

namespace qure {

// How the text that all nodes share is called in errors.
inline constexpr std::string_view kSharedName = "config";

// Without what is a node's own: its lines are empty, so that all others keep their numbers. InvalidArgument, as
// LoadConfig has it, if the text is no TOML, cannot be taken apart by its lines, or leaves nothing or too much. Nothing
// else is checked.
absl::StatusOr<std::string> SharedPart(std::string_view toml, std::string_view name);

// The keys of [cluster] in the text that are the cluster's: "cluster.address". Of a text that is valid.
std::vector<std::string> SharedKeysIn(std::string_view toml);

// The first of the errors: FILE:LINE: KEY (or what else it names first), what is wrong, what would be right.
clusterconfig::Finding FindingOf(const absl::Status& error);

}  // namespace qure
