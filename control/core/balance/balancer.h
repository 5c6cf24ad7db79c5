// Which node gets which share of every service: balance epochs, decided by the master, followed by all others, computed
// into the same tables everywhere. A pure state machine.
//
// Two balance epochs count: the current one, for new flows, and the previous one, the last by which flows were still
// found (dataplane/pipeline/forwarder.h). A balance epoch becomes the previous one only when it has settled: when every
// owner has reported its pinned flows to the master. The death of a node, or an unhealthy one, does not wait for that.
// A balance epoch that is cut short before it was in force everywhere is forgotten, and the previous one stays.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "control/core/config.h"
#include "proto/balance.h"
#include "proto/cluster/cluster.pb.h"
#include "proto/cluster/node.h"
#include "proto/time.h"

namespace qure {

// Services are known by a hash of their name, so that nodes agree whatever the order in their files.
using ServiceId = uint32_t;
ServiceId ServiceIdOf(const std::string& name);

// What a node can take, as it reports.
struct Capacity {
  NodeId node{};
  bool draining = false;  // no new flows
  uint32_t weight = 1;    // of every service that is not named in `services`
  std::map<ServiceId, uint32_t> services;
  std::map<ServiceId, bool> unhealthy;  // services whose check fails

  uint32_t WeightOf(ServiceId service) const;
};

// The weights of nodes for one service; nodes without weight are left out.
using Shares = std::map<NodeId, uint32_t>;

// One balance epoch: what its shares are made from.
struct Epoch {
  uint64_t number = 0;                     // 0: none
  uint32_t table_size = kLookupTableSize;  // of its tables
  std::set<RemoteAddress> heavy_hitters;
  std::map<ServiceId, Shares> weights;  // by service
  friend bool operator==(const Epoch&, const Epoch&) = default;
};

// What the master knows when it decides.
struct Demand {
  const ClusterConfig* config = nullptr;
  std::vector<Capacity> present;  // with this node
  std::set<RemoteAddress> heavy_hitters;
  bool in_force = false;  // all nodes go by the current balance epoch, and have reported their pinned flows
  bool settled = false;   // another one may follow: the same, or more where packets come to all nodes
};

// How a node is reached.
struct NodeAtHand {
  MacAddress hop0;
  MacAddress hop1;
  bool drained = false;           // the deadline of its drain has passed
  std::set<ServiceId> unhealthy;  // services whose check fails there
};

// How far this node is with the present balance epoch: as in Balance.
struct Progress {
  uint8_t report_round = 0;
  bool ready = true;
  bool settled = false;
};

class Balancer {
 public:
  explicit Balancer(const NodeId& self);

  // The master's decision. True if the balance epochs have changed.
  bool Decide(MonoTime now, const Demand& demand, absl::BitGenRef random);
  // Another node's balance epochs, the master's; new to us, so they have not settled. False if `state` is unsound;
  // nothing has changed then.
  bool Follow(MonoTime now, const wire::BalanceState& state);
  wire::BalanceState ToWire() const;
  // Of both balance epochs and the seed: equal on all nodes that compute the same tables.
  uint64_t digest() const { return digest_; }
  const Epoch& current() const { return current_; }
  const Epoch& previous() const { return previous_; }
  // Both once more, to be kept by others.
  const std::shared_ptr<const Epoch>& shared_current() const { return shared_current_; }
  const std::shared_ptr<const Epoch>& shared_previous() const { return shared_previous_; }
  // Those that have a share of anything in either balance epoch.
  std::set<NodeId> Sharers() const;
  // By the current one.
  bool HasShare(const NodeId& node) const;
  // When Decide is to be called again though nothing else has happened.
  MonoTime deadline() const { return decide_at_; }

  // For the workers. Tables are made anew only where weights differ from those of the last call.
  std::shared_ptr<const Balance> Compile(const ClusterConfig& config, const std::map<NodeId, NodeAtHand>& present,
                                         const std::optional<NodeId>& master, const Progress& progress);

  // A node's number in this process; none left: nullopt.
  std::optional<NodeSlot> SlotOf(const NodeId& node);
  std::optional<NodeSlot> KnownSlot(const NodeId& node) const;
  const NodeId& NodeAt(NodeSlot slot) const { return slots_.at(slot); }

 private:
  using TableKey = std::pair<uint32_t, Shares>;  // table_size

  static Epoch Wanted(const Demand& demand);
  static bool OnlyLosses(const Demand& demand, const Epoch& from, const Epoch& to);
  static bool Same(const Epoch& a, const Epoch& b);
  std::shared_ptr<const LookupTable> TableFor(const TableKey& key);
  EpochTables TablesOf(const Epoch& epoch, const std::vector<ServiceConfig>& services,
                       std::map<TableKey, std::shared_ptr<const LookupTable>>* in_use);
  void MarkUnhealthy(const std::vector<ServiceConfig>& services, const NodeId& node, NodeSlot slot,
                     const std::set<ServiceId>& unhealthy, Balance* balance) const;
  void Changed();

  NodeId self_;
  std::vector<NodeId> slots_;  // [0] is this node
  BalanceSeed seed_{};
  Epoch current_;
  Epoch previous_;
  std::shared_ptr<const Epoch> shared_current_ = std::make_shared<const Epoch>();
  std::shared_ptr<const Epoch> shared_previous_ = shared_current_;
  bool current_in_force_ = false;
  bool current_settled_ = false;
  MonoTime decided_at_;
  MonoTime decide_at_ = kNever;
  uint64_t digest_ = 0;
  std::map<TableKey, std::shared_ptr<const LookupTable>> tables_;  // those in use
};

}  // namespace qure
