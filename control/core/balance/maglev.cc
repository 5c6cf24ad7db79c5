#include "control/core/balance/maglev.h"

#include <sodium.h>

#include <algorithm>
#include <numeric>

#include "proto/check.h"

namespace qure {
namespace {

struct Permutation {
  uint32_t offset = 0;
  uint32_t skip = 1;
};

// The node's own order of preference over the entries: offset, offset + skip, … modulo their (prime) number.
Permutation PermutationOf(const BalanceSeed& seed, const NodeId& node, uint32_t table_size) {
  uint64_t hash;
  crypto_shorthash(reinterpret_cast<uint8_t*>(&hash), node.data(), node.size(), seed.data());
  return {.offset = static_cast<uint32_t>((hash & 0xffffffff) % table_size),
          .skip = static_cast<uint32_t>((hash >> 32) % (table_size - 1) + 1)};
}

// How many entries each node gets: proportional, the rest to the largest remainders, ties to the smaller id. `order`:
// the indexes of `nodes` by node id.
std::vector<uint32_t> Quotas(const std::vector<WeightedNode>& nodes, const std::vector<uint32_t>& order,
                             uint32_t table_size) {
  uint64_t total = 0;
  for (const WeightedNode& node : nodes) total += node.weight;
  QURE_CHECK(total > 0);
  std::vector<uint32_t> quotas(nodes.size());
  uint32_t given = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    quotas[i] = static_cast<uint32_t>(uint64_t{nodes[i].weight} * table_size / total);
    given += quotas[i];
  }
  std::vector<uint32_t> by_remainder = order;
  std::ranges::stable_sort(by_remainder, [&](uint32_t a, uint32_t b) {
    return uint64_t{nodes[a].weight} * table_size % total > uint64_t{nodes[b].weight} * table_size % total;
  });
  QURE_CHECK(given <= table_size && table_size - given <= by_remainder.size(), given, table_size);
  for (size_t i = 0; given < table_size; ++i, ++given) ++quotas[by_remainder[i]];
  return quotas;
}

}  // namespace

bool IsPrime(uint32_t number) {
  for (uint32_t divisor = 2; uint64_t{divisor} * divisor <= number; ++divisor) {
    if (number % divisor == 0) return false;
  }
  return number > 1;
}

std::vector<uint8_t> BuildMaglev(const BalanceSeed& seed, const std::vector<WeightedNode>& nodes, uint32_t table_size) {
  struct Turn {
    uint32_t node = 0;
    uint32_t left = 0;  // entries still to get
    uint32_t weight = 0;
    uint32_t credit = 0;
    uint32_t next = 0;  // entry to try
    uint32_t skip = 1;
  };
  std::vector<uint32_t> order(nodes.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {}, [&](uint32_t i) { return nodes[i].node; });
  std::erase_if(order, [&](uint32_t i) { return nodes[i].weight == 0; });
  if (order.empty()) return {};

  const std::vector<uint32_t> quotas = Quotas(nodes, order, table_size);
  uint32_t heaviest = 0;
  std::vector<Turn> turns;
  for (const uint32_t i : order) {
    const Permutation permutation = PermutationOf(seed, nodes[i].node, table_size);
    turns.push_back({.node = i,
                     .left = quotas[i],
                     .weight = nodes[i].weight,
                     .next = permutation.offset,
                     .skip = permutation.skip});
    heaviest = std::max(heaviest, nodes[i].weight);
  }

  std::vector<uint8_t> table(table_size);
  std::vector<uint8_t> taken(table_size);
  for (uint32_t filled = 0; filled < table_size;) {
    // A round: the heaviest node takes an entry, the others as often as their weight is to its.
    for (Turn& turn : turns) {
      turn.credit += turn.weight;
      if (turn.credit < heaviest || turn.left == 0) continue;
      turn.credit -= heaviest;
      while (taken[turn.next] != 0) {
        turn.next += turn.skip;
        if (turn.next >= table_size) turn.next -= table_size;
      }
      taken[turn.next] = 1;
      table[turn.next] = static_cast<uint8_t>(turn.node);
      --turn.left;
      ++filled;
    }
  }
  return table;
}

}  // namespace qure
