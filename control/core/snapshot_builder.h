// Makes the snapshots: the forwarding state that the workers use. Keeps what only they need (services by number, MACs
// of the gateways, names, the heartbeat plan), and whether a new one is due.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "absl/random/bit_gen_ref.h"
#include "control/core/action.h"
#include "control/core/address/service_addresses.h"
#include "control/core/balance/address_ids.h"
#include "control/core/config.h"
#include "control/core/naming.h"
#include "control/core/node_facts.h"
#include "control/core/stored.h"
#include "proto/balance.h"
#include "proto/cluster/cluster_peer.h"
#include "proto/cluster/heartbeat_plan.h"
#include "proto/net/address.h"
#include "proto/services.h"
#include "proto/snapshot.h"

namespace qure {

// What a snapshot takes from the rest of the core.
struct SnapshotView {
  const NodeFacts* facts = nullptr;
  const ClusterConfig* config = nullptr;
  const ServiceAddresses* addresses = nullptr;
  bool clustered = false;  // what follows is used only then
  Ipv4Address cluster_group;
  std::shared_ptr<const Balance> balance;  // null: no services
};

class SnapshotBuilder {
 public:
  // `random` outlives it.
  explicit SnapshotBuilder(absl::BitGenRef random) : random_(random) {}

  // A new one is due.
  void Touch() { due_ = true; }
  void TouchIf(bool changed) { due_ |= changed; }
  bool due() const { return due_; }

  void SetServices(const ClusterConfig& config);
  // What names are answered: those of the zones and those that the node knows. The key in use makes DNS cookies, and
  // those made with the others are good: so they outlive a takeover and a change of keys.
  void SetDns(const NodeFacts& facts, const ClusterConfig& config, const Keyring& keyring);
  // The names that the node knows, from the next SetDns on.
  void SetNames(std::shared_ptr<const LiveNames> names) { names_ = std::move(names); }
  // Whether the workers report that other hosts are there (kLanHeard).
  void SetReportsLan(bool on) { TouchIf(std::exchange(reports_lan_, on) != on); }
  void SetClusterPeers(ClusterPeers peers);
  void SetHeartbeatPlan(std::shared_ptr<const HeartbeatPlan> plan);
  // Seconds since 1970 at the origin of the monotonic clock. Jitter of a second is not followed.
  void SetUnixAtZero(int64_t seconds);
  // A gateway has this MAC.
  void OnGateway(const IpAddress& gateway, const MacAddress& mac);

  // The snapshot of now: none is due then.
  std::shared_ptr<const Snapshot> Make(const SnapshotView& view);

  uint64_t revision() const { return revision_; }  // of the last one
  const AddressIds& ids() const { return ids_; }

 private:
  absl::BitGenRef random_;
  bool due_ = false;
  bool reports_lan_ = false;
  uint64_t revision_ = 0;
  AddressIds ids_;
  std::shared_ptr<const ServiceMap> services_;
  std::map<IpAddress, MacAddress> gateway_macs_;
  int64_t unix_at_zero_ = 0;
  DnsCookieSecret cookie_secret_{};         // of a node without any key
  std::shared_ptr<const LiveNames> names_;  // null: not known yet
  std::shared_ptr<const DnsAuthority> dns_;
  std::shared_ptr<const HeartbeatPlan> plan_;
  std::shared_ptr<const ClusterPeers> peers_;
};

}  // namespace qure
