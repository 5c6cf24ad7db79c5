// What a node keeps of the configuration in its store, and what its host is asked to do with it. Plain values, known to
// all that stores or runs a configuration.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/core/admission/signing.h"
#include "control/core/config/stage_map.h"
#include "proto/cluster/node.h"

namespace qure::clusterconfig {

using admission::Digest;

// Why a node cannot take a configuration, and what would be right.
struct Finding {
  std::string where;  // FILE:LINE: KEY, if it is about the text
  std::string reason;
  std::string remedy;
  friend bool operator==(const Finding&, const Finding&) = default;
};

// One version as it is stored. Its key is its version.
struct StoredVersion {
  std::vector<uint8_t> entry;
  std::vector<uint8_t> confirm;  // empty unless it is confirmed
  Stage stage = Stage::kNone;
  bool was_in_effect = false;  // at this node
  bool acknowledged = false;
  friend bool operator==(const StoredVersion&, const StoredVersion&) = default;
};
using Body = std::shared_ptr<const std::string>;
// Make all of it durable in one transaction, then call OnSaved with `ticket`. One is under way at a time.
struct Save {
  uint64_t ticket = 0;
  std::vector<std::pair<Version, StoredVersion>> put;
  std::vector<Version> drop;
  std::vector<std::pair<Digest, Body>> put_bodies;
  std::vector<Digest> drop_bodies;
};
// What a store has to give at a start.
struct StoredConfig {
  std::vector<StoredVersion> versions;
  std::vector<std::string> bodies;
};

// Would this node take this body? Then call OnValidated.
struct Validate {
  Version version;
  Body body;
};
// Run this body in place of the one before, then call OnApplied. Null: the node has no configuration of the cluster.
struct Apply {
  Version version;
  Body body;
  bool trial = false;  // for a moment, and seen by no other node
};
// What a change has come to that an operator at this node asked for. Without a dry run, `version` has reached the stage
// that he asked for, durably at the node that decided.
struct Answered {
  uint64_t id = 0;
  Version version;
  std::optional<NodeId> node;      // that refused
  std::optional<Finding> refusal;  // absent: it was taken
};

}  // namespace qure::clusterconfig
