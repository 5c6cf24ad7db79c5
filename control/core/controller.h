// The control core: time, datagrams, events, commands and configuration in, actions out. It reads no clock and touches
// nothing; the appliance drives it with real time, tests and the simulator with virtual time.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/status/status.h"
#include "control/core/action.h"
#include "control/core/address/claim.h"
#include "control/core/address/group_listener.h"
#include "control/core/balance/balancing.h"
#include "control/core/balance/flow_querier.h"
#include "control/core/cluster/election.h"
#include "control/core/cluster/history.h"
#include "control/core/cluster/identity.h"
#include "control/core/cluster/lifetime.h"
#include "control/core/cluster/membership.h"
#include "control/core/cluster/transport.h"
#include "control/core/command.h"
#include "control/core/config.h"
#include "control/core/naming.h"
#include "control/core/stored.h"
#include "proto/cluster/datagram.h"
#include "proto/event.h"
#include "proto/snapshot.h"
#include "proto/time.h"

namespace qure {

// What does not change while the process runs.
struct NodeFacts {
  NodeId node_id{};
  BootId boot_id{};
  std::string name;
  std::string revision;  // of the build
  MacAddress lan_mac;
  LanMode lan_mode = LanMode::kDedicated;
  uint16_t vlan = 0;
  Ipv4Address address;              // source of cluster frames; zero: link-local
  std::vector<IpPrefix> addresses;  // all of the node's own that its configuration names
  int32_t priority = 0;
  uint32_t weight = 1;
};

// One row of `qurectl nodes`.
struct NodeRow {
  NodeId node{};
  std::string name;
  std::string role;   // master, deputy, member, booting, candidate
  std::string state;  // self, alive, suspect, down, left
  uint64_t age = 0;
  uint32_t era = 0;
  std::string revision;
  Ipv4Address address;
  int32_t priority = 0;
  uint32_t weight = 1;
  bool maintenance = false;
  bool draining = false;
  std::optional<Duration> drain_left;  // until its flows are given up; zero: they are; absent: never
  std::optional<NodeSlot> slot;        // its number in the flow tables of this process
  Duration heard_ago;
  Duration uptime;
};

// One row of `qurectl services`.
struct ServiceRow {
  std::string name;
  bool unhealthy = false;              // its check fails here
  std::set<NodeId> unhealthy_at;       // nodes whose check fails, by their own word
  uint32_t weight = 1;                 // of this node
  std::map<NodeId, uint32_t> current;  // weights of the balance epochs
  std::map<NodeId, uint32_t> previous;
};

struct ControllerStatus {
  std::string role;   // master, deputy, member, candidate, idle
  std::string phase;  // of the master: solo, offering, leased, lost, rejoining, preparing; else ""
  NodeId node_id{};
  MacAddress node_mac;
  uint64_t snapshot_revision = 0;
  std::vector<ClaimStatus> claims;

  bool clustered = false;  // has a key, or is open
  bool open = false;
  bool maintenance = false;
  bool ineligible = false;  // a clone of this node is about
  uint32_t era = 0;
  uint64_t lineage = 0;
  uint64_t age = 0;
  uint64_t cluster_uptime_ms = 0;
  Term term;  // of the present master; zero: none known
  std::optional<NodeId> master;
  std::optional<NodeId> deputy;
  std::vector<NodeRow> nodes;  // this node first
  std::vector<uint32_t> key_ids;
  uint32_t key_in_use = 0;
  bool multicast_works = true;

  std::array<uint64_t, kCauseCount> takeovers{};  // by this node, by Cause
  std::optional<TakeoverRecord> last_takeover;    // by this node
  std::array<uint64_t, kRejectCount> rejected{};
  uint64_t persist_failures = 0;
  uint64_t history_events = 0;

  uint64_t balance_epoch = 0;
  bool balance_settled = false;  // the master knows of this node's pinned flows under it
  std::vector<ServiceRow> services;
  std::vector<IpAddress> heavy_hitters;  // remote addresses whose flows are spread, by Affinity::kAdaptive
};

class Controller {
 public:
  // `random` outlives the controller. `now` is the time of the boot.
  Controller(const NodeFacts& facts, StoredState stored, absl::BitGenRef random, MonoTime now);

  // The cluster configuration, first or changed. Claims that can go on under it do (Claim::CanContinue) and are served
  // without a gap; others start anew, and those no longer wanted vanish.
  Actions OnConfig(MonoTime now, const ClusterConfig& config);
  Actions OnDatagram(MonoTime now, const Datagram& datagram);
  Actions OnEvent(MonoTime now, const Event& event);
  Actions OnPersisted(MonoTime now, uint64_t ticket, bool ok);
  // On an error nothing has changed.
  absl::Status OnCommand(MonoTime now, const Command& command, Actions* out);
  Actions Tick(MonoTime now);

  // Wall-clock milliseconds since 1970 at `now`, every second or so: for the history's times and nothing else.
  void SetWallClock(MonoTime now, uint64_t wall_ms);

  // What the workers tell of flows that this node serves by pinned flow (proto/balance.h); `round`: the round of
  // reports that all of them have finished.
  Actions OnFlows(MonoTime now, const std::vector<FlowKey>& flows, uint8_t round);
  // LookUpFlow: what the workers have for the flow.
  Actions OnFlowFound(MonoTime now, const LookUpFlow& question, const std::optional<FlowEntry>& found);
  // The services, by name, whose check fails on this node.
  Actions OnHealth(MonoTime now, std::set<std::string> unhealthy);

  // The names that change, as they are now.
  Actions OnNames(MonoTime now, std::shared_ptr<const LiveNames> names);

  // The earliest time at which Tick has something to do.
  MonoTime NextDeadline() const;
  ControllerStatus status(MonoTime now) const;
  // The deadline of this node's drain has passed.
  bool drained() const { return balancing_.drain().over(); }
  const History& history() const { return history_; }
  const ClusterConfig& config() const { return config_; }

 private:
  // Waiting for the store.
  struct Pending {
    uint64_t ticket = 0;
    std::optional<StoredEpochs> epochs;
  };

  void Understand(MonoTime now, const Incoming& incoming, Actions* out);
  void Awake(MonoTime now, Actions* out);
  bool FollowsUs(const NodeId& node) const;
  void AnnounceSoon(MonoTime now);
  void OnLifeChange(MonoTime now, LifeChange change, Actions* out);
  void OnMemberChanges(MonoTime now, const std::vector<MemberChange>& changes, Actions* out);
  void OnClone(MonoTime now, Actions* out);
  void OnPull(MonoTime now, const Incoming& incoming, Actions* out);
  void OnChunk(MonoTime now, const Incoming& incoming, Actions* out);
  void CompareHistory(MonoTime now, const Member& member, const wire::Hello& hello, Actions* out);
  void FollowAddresses(const wire::Hello& hello);
  bool OfOurCluster(const Event& event) const;

  // The end of each step: carries out what it has come to, in an order that is safe for the LAN.
  Actions Conclude(MonoTime now, Actions said);
  void ApplyRole(MonoTime now, Actions* out);
  void ApplyGate(Actions* out);
  void Speak(MonoTime now, const Saying& saying, Actions* out);
  void SayHello(MonoTime now, Actions* out);
  Duration HelloSpan() const;
  void HelloBy(MonoTime at);  // the next one, at the latest
  void AskLan(Actions* out);
  void TickHistory(MonoTime now, Actions* out);
  void TickStop(MonoTime now, Actions* out);
  void Note(MonoTime now, HistoryKind kind, Actions* out, const NodeId& subject = {}, std::string text = {});
  void Store(StoreChange change, Actions* out);

  void OnPinnedFlows(const Incoming& incoming, Actions* out);
  std::optional<OwnedFlow> FlowOf(const FlowKey& key) const;
  std::optional<FlowKey> KeyOf(const OwnedFlow& flow) const;
  void Ask(MonoTime now, const QueryFlow& ask, Actions* out);
  void OnFlowQuery(const Incoming& incoming, Actions* out) const;
  void OnFlowReply(const wire::FlowReply& told, Actions* out);
  absl::Status OnBalanceCommand(MonoTime now, const Command& command, Actions* out);
  void OnRemoteCommand(MonoTime now, const wire::RemoteCommand& command, Actions* out);
  void OnRemoteDrain(MonoTime now, const wire::RemoteCommand& command, StoreChange* change);
  void TickDrain(MonoTime now, Actions* out);
  void MakeDns();
  BalanceView View(MonoTime now);
  void NoteGateway(const Event& event);
  uint8_t IdOf(const IpAddress& address);
  std::vector<ServiceRow> ServiceRows() const;

  void Publish(MonoTime now, Actions* out);
  void PublishHostAddresses(Actions* out);
  bool Serves(const Claim& claim) const;
  std::shared_ptr<const HeartbeatPlan> MakeHeartbeatPlan() const;
  void Configure(MonoTime now, Actions* out);

  ElectionInput Input() const;
  wire::Hello MakeHello(MonoTime now) const;
  NodeRow OwnRow(MonoTime now) const;
  NodeRow RowOf(MonoTime now, const Member& member) const;
  ClaimContext ContextFor(const AddressConfig& address) const;
  MacAddress OwnMac(int hop) const;
  Ipv4Address OwnAddress() const;
  absl::Status ChangeKeys(const Keyring& next, Actions* out);

  const NodeFacts facts_;
  StoredState stored_;  // keyring, maintenance, age: as they are now; the rest as it was at boot
  absl::BitGenRef random_;
  const MonoTime booted_;
  ClusterConfig config_;
  Transport transport_;
  Membership members_;
  History history_;
  std::optional<Lifetime> life_;  // from the first configuration on
  Election election_;
  GroupListener groups_;
  std::vector<Claim> claims_;

  Balancing balancing_;
  FlowQuerier flow_querier_;

  std::shared_ptr<const ServiceMap> services_;
  std::map<IpAddress, uint8_t> address_ids_;  // never forgotten: flows are kept under them
  std::map<IpAddress, MacAddress> gateway_macs_;
  int64_t unix_at_zero_ = 0;                // seconds
  DnsCookieSecret cookie_secret_{};         // of a node without any key
  std::shared_ptr<const LiveNames> names_;  // null: not known yet
  std::shared_ptr<const DnsAuthority> dns_;
  std::shared_ptr<const HeartbeatPlan> plan_;
  std::vector<IpPrefix> host_addresses_;
  std::vector<IpPrefix> held_by_master_;  // as it last said
  std::vector<IpAddress> draining_;       // held until the handover under way
  uint64_t revision_ = 0;
  bool dirty_ = false;  // a snapshot is due
  bool gate_open_ = false;
  uint64_t opening_ = 0;
  bool leads_ = false;  // what the claims were last told
  Term noted_term_;     // of our last mastership that the history has

  std::optional<MonoTime> last_step_;  // when this core was last asked for anything
  MonoTime announce_again_at_ = kNever;
  MonoTime announced_again_ = kLongAgo;
  MonoTime next_hello_ = kNever;
  MonoTime next_clone_log_;
  MonoTime next_life_save_ = kNever;
  bool clone_ = false;                   // another machine has our identity: we are ineligible
  MonoTime clone_until_ = kLongAgo;  // until it has been silent for so long
  MonoTime stop_by_ = kNever;            // told to stop: at the latest then
  bool finished_ = false;
  std::map<NodeId, MonoTime> next_pull_;
  uint64_t last_ticket_ = 0;
  std::vector<Pending> pending_;
  uint64_t persist_failures_ = 0;
};

}  // namespace qure
