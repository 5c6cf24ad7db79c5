// The configuration in force, for `config show`.
#pragma once

#include "control/core/config.h"
#include "nlohmann/json.hpp"

namespace qure {

// The keys of the file (config_keys.h), defaults included. Null: not set, and without a default. Left out: the other
// keys of a section say that it cannot be set, or a zone file has it. Of cluster.key only whether there is one; of
// key_file only its path.
nlohmann::ordered_json ConfigJson(const Config& config);

// Of what the file says about the cluster, but for secrets: equal where the [cluster] sections say the same, whatever
// the order. Never 0.
uint64_t ClusterDigest(const ClusterConfig& cluster);

}  // namespace qure
