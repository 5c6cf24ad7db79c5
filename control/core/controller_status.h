// What the Controller shows of itself and its cluster: plain values, from which control/operator makes texts and JSON.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/core/action.h"
#include "control/core/address/claim.h"
#include "control/core/address/node_addresses.h"
#include "control/core/admission/adoption.h"
#include "control/core/admission/roll.h"
#include "control/core/balance/balancing.h"
#include "control/core/cluster/election.h"
#include "control/core/cluster/membership.h"
#include "control/core/cluster/namesakes.h"
#include "control/core/cluster/transport.h"
#include "control/core/config.h"
#include "control/core/config/shared_config.h"
#include "control/core/node_role.h"
#include "proto/cluster/node.h"
#include "proto/flow.h"
#include "proto/net/address.h"
#include "proto/time.h"

namespace qure {

// One row of `qurectl nodes`.
struct NodeRow {
  NodeId node{};
  std::string name;
  NodeRole role = NodeRole::kNone;
  NodeState state = NodeState::kSelf;
  uint64_t age = 0;
  uint32_t era = 0;
  std::string revision;
  std::vector<IpAddress> addresses;  // that an interface of the node has: at most one of a family
  int32_t priority = 0;
  uint32_t weight = 1;
  bool maintenance = false;
  bool draining = false;
  uint64_t config_running = 0;  // `check` of the version of the cluster's configuration that it runs; 0: none
  bool config_unable = false;   // it cannot run what is in effect
  bool config_differs = false;  // its [cluster] configuration is another than this node's, and has been for a while
  std::optional<Duration> drain_left;  // until its flows are given up; zero: they are; absent: never
  std::optional<NodeSlot> slot;        // its number in the flow tables of this process
  Duration heard_ago;
  Duration uptime;
};

// Of a service on one node.
enum class CheckState : uint8_t {
  kNone,       // there is no check: it is taken to work
  kUnchecked,  // no check has been made yet
  kPasses,
  kFails,
  kUnreached,  // the server works, but nothing answers what comes to it as clients' packets do
};
std::string_view NameOf(CheckState state);
constexpr bool IsHealthy(CheckState state) {
  return state == CheckState::kNone || state == CheckState::kPasses;
}

// Logs what has changed for these services. What was never checked before is reported when it is.
void LogHealth(const std::vector<ServiceConfig>& services, const ServiceHealth& before, const ServiceHealth& now,
               Actions* out);

// One row of `qurectl services`.
struct ServiceRow {
  std::string name;
  CheckState check = CheckState::kNone;                 // of this node
  std::vector<std::pair<NodeId, CheckState>> unfit_at;  // in the order of the ids; none that IsHealthy
  uint32_t weight = 1;                                  // of this node
  std::shared_ptr<const Shares> current = std::make_shared<const Shares>();  // of the balance epochs
  std::shared_ptr<const Shares> previous = std::make_shared<const Shares>();

  // kPasses if `node` has reported nothing else.
  CheckState CheckAt(const NodeId& node) const;
};

struct ControllerStatus {
  NodeRole role = NodeRole::kNone;
  std::optional<MasterPhase> phase;  // of a clustered master
  NodeId node_id{};
  MacAddress node_mac;
  uint64_t snapshot_revision = 0;
  std::vector<ClaimStatus> claims;

  bool clustered = false;  // has a key, or is open
  bool open = false;
  bool maintenance = false;
  bool ineligible = false;                               // another machine has this node's identity
  std::vector<NodeAddresses::Status> address_conflicts;  // of this node's own addresses
  bool link_up = true;                                   // of the LAN port; a node of a cluster is ineligible without
  std::vector<Namesake> namesakes;                       // members with this node's name or address
  bool without_gateway = false;  // it leads, and the gateway has not answered since before it claimed
  bool clock_fit = true;         // a node of a cluster is ineligible by a clock that counts timer ticks
  bool clocks_differ = false;    // ours and the master's: not ready as deputy
  uint32_t era = 0;
  uint64_t lineage = 0;
  uint64_t age = 0;
  uint64_t cluster_uptime_ms = 0;
  Term term;  // of the present master; zero: none known
  std::optional<NodeId> master;
  std::optional<NodeId> deputy;
  std::vector<IpPrefix> held;  // service addresses that the master holds, as it last reported
  std::vector<NodeRow> nodes;  // this node first
  admission::RollStatus roll;
  admission::AdoptionStatus adoption;
  clusterconfig::ConfigStatus config;
  std::vector<uint32_t> key_ids;
  uint32_t key_in_use = 0;
  bool multicast_works = true;

  std::array<uint64_t, kCauseCount> takeovers{};  // by this node, by Cause
  std::optional<TakeoverRecord> last_takeover;    // by this node
  std::array<uint64_t, kRejectCount> rejected{};
  std::vector<Stranger> strangers;  // heard lately and not believed
  uint64_t oversized = 0;           // messages that no datagram holds
  uint64_t persist_failures = 0;
  uint64_t history_events = 0;

  uint64_t balance_epoch = 0;
  bool balance_settled = false;  // the master knows of this node's pinned flows under it
  std::vector<ServiceRow> services;
  std::vector<IpAddress> heavy_hitters;  // remote addresses whose flows are spread, by Affinity::kAdaptive
};

// What names say of a node. LinkLocalFor is no address of an interface: nobody answers for it.
std::vector<IpAddress> NamedAddresses(const NodeId& node, const Ipv4Address& address, const Ipv6Address& address6);

// The row of another node. `deputy`: of the master that this node follows or is.
NodeRow RowOf(MonoTime now, const Member& member, const std::optional<NodeId>& deputy);

std::vector<ServiceRow> RowsOf(const std::vector<ServiceConfig>& services, const NodeId& self,
                               const Balancing& balancing, const Membership& members);

}  // namespace qure
