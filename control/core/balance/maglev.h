// The Maglev lookup table (Eisenbud et al., Maglev: A Fast and Reliable Software Network Load Balancer, NSDI 2016,
// §3.4), with weights that are kept exactly: every node gets its share of the entries to within one entry.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/balance.h"
#include "proto/cluster/node.h"

namespace qure {

// Maglev's permutations reach all entries of a table only if their number is prime.
bool IsPrime(uint32_t number);

struct WeightedNode {
  NodeId node{};
  uint32_t weight = 0;  // 0: no entries
};

// Entry to index in `nodes`. The same for the same nodes, weights and seed, whatever their order. Empty if no node has
// weight. At most kMaxNodes nodes; `table_size` is prime.
std::vector<uint8_t> BuildMaglev(const BalanceSeed& seed, const std::vector<WeightedNode>& nodes,
                                 uint32_t table_size = kLookupTableSize);

}  // namespace qure
