// What the election wants sent. The Controller makes the messages (docs/protocol.md).
#pragma once

#include <cstdint>
#include <optional>

#include "proto/cluster/node.h"

namespace qure {

struct Outgoing {
  enum class What : uint8_t {
    kHello,     // who we are, whom we follow
    kQuery,     // is anyone master?
    kClaim,     // to all, before the first frame from the service MAC
    kYield,     // to all: the gate is shut, `node` is the successor
    kPrepare,   // to `node`
    kPrepared,  // to `node`
    kAskLan,    // who has the service addresses, is the gateway there? Frames from the node MAC
    kSuspect,   // no message yet: query `node` at once (Membership::Suspect)
  };
  What what = What::kHello;
  std::optional<NodeId> node;  // kHello, kQuery: none for all
  Term term;
};

}  // namespace qure
