// Who is who, and who holds what: ids of nodes and boots, and the term of a mastership.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>

namespace qure {

using NodeId = std::array<uint8_t, 16>;  // random, persistent
using BootId = std::array<uint8_t, 16>;  // random, drawn at each start

// The number of a mastership: strictly grows, higher wins. The holder's name is part of it, as in a Paxos ballot
// (Lamport 1998, §2.3), so two nodes cannot use one term, even if they cannot reach each other.
struct Term {
  uint32_t era = 0;
  uint64_t epoch = 0;
  uint64_t holder = 0;  // HolderOf(node id); 0: no node

  friend constexpr auto operator<=>(const Term&, const Term&) = default;
};

constexpr uint64_t HolderOf(const NodeId& node) {
  uint64_t holder = 0;
  for (size_t i = 0; i < sizeof(holder); ++i) holder = holder << 8 | node[i];
  return holder;
}

}  // namespace qure
