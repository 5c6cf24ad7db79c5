// The TOML file of a node (docs/configuration.md lists every key) to a checked Config.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/core/config.h"
#include "control/core/config/effects.h"
#include "control/core/stored.h"

namespace qure {

// Errors are for the operator: all that were found, one per line:
//   FILE:LINE: KEY: what is wrong; what would be right
// Unknown keys are errors too: a misspelt key must not be ignored in silence.
absl::StatusOr<Config> LoadConfig(const std::string& path);
// The same for text; `name` stands for the file in errors. A node that has a key, or may be taken in, need not say what
// the cluster serves: it gets that from the others.
absl::StatusOr<Config> ParseConfig(std::string_view toml, std::string_view name);
absl::StatusOr<std::string> ReadConfigFile(const std::string& path);

// What a node has learnt beside its file.
struct Learnt {
  std::optional<JoinedCluster> joined;  // for what the file leaves open of name, port and group
  clusterconfig::Body shared;           // the cluster's configuration; null: it has none, or it is not known
};
// What a node runs: of `own`, its file, only what is a node's own (IsNodesOwn), and the cluster's configuration for all
// else (shared_part.h). Errors in that are said of kSharedName. Without one, what the cluster was begun with, or else
// the whole file.
absl::StatusOr<Config> ParseConfig(std::string_view own, std::string_view name, const Learnt& learnt);

// Whether what `toml` says of how a node finds and believes the others is valid: of a text that is to be given to all
// nodes, which does not have it. An operator who writes it there is not to think that it holds.
absl::Status CheckOwnKeys(std::string_view toml, std::string_view name);

// What is valid but unsafe, for a file read from `path`: FILE: KEY: what; what would be better. Neither errors nor
// warnings ever contain a key of the cluster.
std::vector<std::string> ConfigWarnings(const std::string& path, const Config& config);

// Whether `next` can replace `current` without a restart; otherwise an error that names the keys that cannot change.
absl::Status CheckReload(const Config& current, const Config& next);

}  // namespace qure
