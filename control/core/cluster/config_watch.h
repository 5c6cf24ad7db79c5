// Which nodes have another [cluster] configuration than this one: each HELLO carries a digest of it.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "control/core/action.h"
#include "proto/cluster/node.h"
#include "proto/time.h"

namespace qure {

class ConfigWatch {
 public:
  // What one node says.
  struct Report {
    uint64_t digest = 0;  // 0: it does not say
    std::string revision;
    std::string name;
  };

  // The configuration of this node, first or changed.
  void Configure(uint64_t digest, std::string revision);
  // A HELLO. Logs a difference once it has lasted for kConfigDiffers, and its end: while an operator reloads one node
  // after the other, they differ for a while.
  void OnHello(MonoTime now, const NodeId& node, const Report& report, Actions* out);
  void Forget(const NodeId& node) { differing_.erase(node); }
  // It has lasted for kConfigDiffers.
  bool Differs(const NodeId& node) const;

 private:
  struct Difference {
    MonoTime since;
    bool logged = false;
  };

  uint64_t digest_ = 0;
  std::string revision_;
  std::map<NodeId, Difference> differing_;
};

}  // namespace qure
