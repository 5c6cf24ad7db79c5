// Maglev's table of shares (Eisenbud et al., Maglev: A Fast and Reliable Software Network Load Balancer, NSDI 2016,
// §3.4), with weights that are kept exactly: every node gets its share of the rows to within one row.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/balance.h"
#include "proto/node.h"

namespace qure {

struct WeightedNode {
  NodeId node{};
  uint32_t weight = 0;  // 0: no rows
};

// Row to index in `nodes`. The same for the same nodes, weights and seed, whatever their order. Empty if no node has
// weight. At most kMaxNodes nodes.
std::vector<uint8_t> BuildMaglev(const BalanceSeed& seed, const std::vector<WeightedNode>& nodes,
                                 uint32_t rows = kShareRows);

}  // namespace qure
