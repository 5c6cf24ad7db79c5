// What a node is in its cluster, and whether it is there, as operators see it.
#pragma once

#include <cstdint>
#include <string_view>

namespace qure {

enum class NodeRole : uint8_t {
  kNone,       // not known: the node is not there
  kIdle,       // no master known, and none is being made
  kStandby,    // of a node without a cluster: it holds no address now
  kBooting,    // joins the cluster, or begins it
  kCandidate,  // asks whether anyone is master
  kMember,
  kDeputy,
  kMaster,
};
std::string_view NameOf(NodeRole role);  // kNone: ""

enum class NodeState : uint8_t {
  kSelf,
  kAlive,
  kSuspect,
  kDeaf,  // it is heard, and does not hear the master: it gets no flows
  kDown,
  kLeft,
};
std::string_view NameOf(NodeState state);

// Whether the node takes part now.
constexpr bool IsPresent(NodeState state) {
  return state != NodeState::kDown && state != NodeState::kLeft;
}

}  // namespace qure
