// What a node begins with: its own file, and for all that is the cluster's the configuration that was in effect when
// this node ended, if there is one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/core/config.h"
#include "control/core/config/shared_config.h"
#include "control/core/stored.h"

namespace qure {

struct StartConfig {
  std::string path;                                   // of its own file
  std::string text;                                   // as it was read
  Config config;                                      // what it runs
  std::optional<JoinedCluster> joined;                // that `config` is made from, too
  std::optional<clusterconfig::StoredEffect> shared;  // that `config` is made from
};

// Logs what of the file is ignored, and why the stored configuration is not used if this node cannot: it serves nothing
// then (clusterconfig::Unable).
StartConfig WithStored(StartConfig own, const StoredState& stored);

// Logs which keys of the file have no effect, since the cluster has one configuration.
void WarnOfIgnored(std::string_view path, std::string_view text);

}  // namespace qure
