// Who gets which flows: the tables of shares of the current and the previous balance epoch, computed by the control
// thread, read by the workers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "proto/address.h"
#include "proto/flow.h"
#include "proto/services.h"

namespace qure {

// Rows of a table of shares; prime, as Maglev needs it (Eisenbud et al. 2016, §3.4).
inline constexpr uint32_t kShareRows = 65'537;

// Row to owner. Never empty: a service that nobody serves has no table.
using ShareTable = std::vector<NodeSlot>;

struct BalanceNode {
  bool present = false;  // may be sent to
  MacAddress hop0;
  MacAddress hop1;
};

struct Shares {
  std::shared_ptr<const ShareTable> current;
  std::shared_ptr<const ShareTable> previous;  // null: there was none
};

using BalanceSeed = std::array<uint8_t, 16>;  // secret: who knows it can aim at one node

struct Balance {
  uint64_t epoch = 0;
  BalanceSeed seed{};
  std::array<BalanceNode, kMaxNodes> nodes{};
  size_t slots = 1;              // above all that are in use
  NodeSlot master = kSelfSlot;   // where replies return; kSelfSlot: none other
  std::vector<Shares> services;  // in parallel to ServiceMap::services
  // Owners tell the master and the deputy of those of their flows that the current table does not give them, once in
  // each of these rounds.
  uint8_t report_round = 0;

  bool IsPeer(const MacAddress& hop0) const {
    for (size_t i = 1; i < slots; ++i) {
      if (nodes[i].present && nodes[i].hop0 == hop0) return true;
    }
    return false;
  }
};

// The row of a flow: the same on every node.
uint32_t ShareRow(const BalanceSeed& seed, Affinity affinity, const FlowKey& key);

}  // namespace qure
