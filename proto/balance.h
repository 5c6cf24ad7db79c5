// Who gets which flows: the Maglev lookup tables of the current and the previous balance epoch, computed by the control
// thread, read by the workers.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <vector>

#include "proto/flow.h"
#include "proto/net/address.h"
#include "proto/services.h"

namespace qure {

// Entries of a Maglev lookup table; prime, as Maglev needs it (Eisenbud et al. 2016, §3.4).
inline constexpr uint32_t kLookupTableSize = 65'537;

// Entry to owner. Never empty: a service that no node serves has no table.
using LookupTable = std::vector<NodeSlot>;

// Remote addresses that open so many flows that one node must not serve them all: a university, a carrier's NAT.
// Sorted.
using HeavyHitterSet = std::vector<RemoteAddress>;
inline constexpr size_t kMaxHeavyHitters = 64;

struct BalanceNode {
  bool present = false;  // may be sent to
  bool given_up =
      false;  // its flows are given up: its drain's deadline has passed. They go by the Maglev lookup table.
  MacAddress hop0;
  MacAddress hop1;
};

using BalanceSeed = std::array<uint8_t, 16>;  // secret: a client that knows it can choose the node

// The balance of one epoch.
struct EpochTables {
  HeavyHitterSet heavy_hitters;
  std::vector<std::shared_ptr<const LookupTable>>
      services;  // in parallel to ServiceMap::services; null: no node serves it
};

struct Balance {
  uint64_t epoch = 0;
  BalanceSeed seed{};
  std::array<BalanceNode, kMaxNodes> nodes{};
  size_t slots = 1;             // above all that are in use
  NodeSlot master = kSelfSlot;  // where replies return; kSelfSlot: none other
  EpochTables current;
  EpochTables previous;
  // Owners report their pinned flows to the master and the deputy, once in each of these rounds.
  uint8_t report_round = 0;
  bool ready = true;     // this node knows enough to decide where packets come to all
  bool settled = false;  // all nodes go by this epoch, and know each other's pinned flows to it
  // In parallel to ServiceMap::services: where its check fails, if others work. Empty: nowhere.
  std::vector<std::bitset<kMaxNodes>> unhealthy;
  uint32_t heavy_hitter = 0;  // new flows in a window from which on a remote address is reported; 0: never

  bool IsUnhealthy(uint8_t service, NodeSlot node) const {
    return !unhealthy.empty() && service != 0 && unhealthy[service - size_t{1}][node];
  }
  bool IsPeer(const MacAddress& hop0) const {
    for (size_t i = 1; i < slots; ++i) {
      if (nodes[i].present && nodes[i].hop0 == hop0) return true;
    }
    return false;
  }
};

// The entry of a flow: the same on every node. `affinity` is not kAdaptive.
uint32_t LookupEntry(const BalanceSeed& seed, Affinity affinity, const FlowKey& key, uint32_t table_size);

// What kAdaptive comes to for this remote address.
Affinity AffinityFor(const EpochTables& epoch, Affinity affinity, const RemoteAddress& remote);

// The owner of a flow of `services[service - 1]` by an epoch's table; kSelfSlot if it has none.
NodeSlot OwnerIn(const Balance& balance, const EpochTables& epoch, const ServiceMap& services, uint8_t service,
                 const FlowKey& key);

}  // namespace qure
