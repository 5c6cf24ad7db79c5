// Every key of the configuration file, once. The reader accepts these and no others, `config show` shows each of them
// (config_json.h), docs/configuration.md explains them, and the table says which of them a reload cannot change.
#pragma once

#include <span>
#include <string_view>

#include "control/core/config.h"

namespace qure {

struct ConfigKey {
  // "node.lan.port"; in the sections [[cluster.service]] "cluster.service.name"; "….*": any name.
  std::string_view path;
  // Fixed while qured runs: whether both configurations agree in it. Null: a reload applies a change.
  bool (*same)(const Config& a, const Config& b) = nullptr;
};

// Each node's file has it, and no other counts: [node], and by what a node finds and believes the others. All else is
// the cluster's, and the same at all nodes.
bool IsNodesOwn(std::string_view path);

// By path.
std::span<const ConfigKey> ConfigKeys();

// Whether it is a key of the file, or a section that has keys.
bool IsConfigPath(std::string_view path);

}  // namespace qure
