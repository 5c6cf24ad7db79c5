// The control core: time, datagrams, events, commands and configuration in, actions out. It reads no clock and touches
// nothing; the appliance drives it with real time, tests and the simulator with virtual time.
//
// The Controller only joins the parts, each of which has its own state and contract:
//
//   Transport, Membership   messages of active nodes, and which nodes there are      cluster/
//   Roll, Adoption          who belongs to the cluster, and how nodes join it        admission/
//   SharedConfig            the configuration that all nodes have                    config/
//   Lifetime, HistoryKeeper era, uptime, what happened
//   Election                who is master                                            (docs/protocol.md)
//   HelloTimer, MakeHello   what this node reports of itself
//   NodeAddresses           this node's own addresses: probed, announced
//   ServiceAddresses        claims, announcements, host addresses, multicast groups  address/
//   Balancing               who serves which flows                                   balance/
//   FlowQuestions           single flows, for operators
//   SnapshotBuilder         what the workers use
//   GateOutput              whether they may send from the service MAC
//   PersistLedger           what the store is asked for
//
// A step is: understand what has come in, let the parts take their decisions, then Conclude, which turns them into
// actions in an order that is safe for the LAN.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/core/action.h"
#include "control/core/address/node_addresses.h"
#include "control/core/address/service_addresses.h"
#include "control/core/admission/adoption.h"
#include "control/core/admission/roll.h"
#include "control/core/balance/balancing.h"
#include "control/core/balance/flow_questions.h"
#include "control/core/cluster/clone_watch.h"
#include "control/core/cluster/config_watch.h"
#include "control/core/cluster/election.h"
#include "control/core/cluster/history_keeper.h"
#include "control/core/cluster/identity.h"
#include "control/core/cluster/lease_memory.h"
#include "control/core/cluster/lifetime.h"
#include "control/core/cluster/membership.h"
#include "control/core/cluster/namesakes.h"
#include "control/core/cluster/transport.h"
#include "control/core/command.h"
#include "control/core/config.h"
#include "control/core/config/shared_config.h"
#include "control/core/controller_status.h"
#include "control/core/gate_output.h"
#include "control/core/hello.h"
#include "control/core/machine_state.h"
#include "control/core/naming.h"
#include "control/core/node_facts.h"
#include "control/core/persist_ledger.h"
#include "control/core/snapshot_builder.h"
#include "control/core/step_clock.h"
#include "control/core/stopping.h"
#include "control/core/stored.h"
#include "proto/cluster/datagram.h"
#include "proto/event.h"
#include "proto/time.h"

namespace qure {

class Controller {
 public:
  // `random` outlives the controller. `now` is the time of the boot.
  Controller(const NodeFacts& facts, StoredState stored, absl::BitGenRef random, MonoTime now);

  // Parts refer to each other.
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  // The cluster configuration, first or changed. Claims that can go on under it do (Claim::CanContinue) and are served
  // without a gap; others start anew, and those no longer wanted vanish.
  Actions OnConfig(MonoTime now, const ClusterConfig& config);
  Actions OnDatagram(MonoTime now, const Datagram& datagram);
  Actions OnEvent(MonoTime now, const Event& event);
  // The heartbeater has acknowledged heartbeats, or got acknowledgements, since this was called last.
  void OnHeartbeats(MonoTime now);
  // The store's answer to the Persist action with this ticket.
  Actions OnPersisted(MonoTime now, uint64_t ticket, bool ok);
  // The host's answers to Validate and Apply; a finding: it would not, or does not, run it.
  Actions OnConfigValidated(MonoTime now, const clusterconfig::Version& version,
                            std::optional<clusterconfig::Finding> finding);
  Actions OnConfigApplied(MonoTime now, const clusterconfig::Version& version,
                          std::optional<clusterconfig::Finding> finding);
  // Something has changed that an Apply may have failed for.
  Actions OnConfigRetry(MonoTime now);
  // The store has taken all changes that it had failed to take.
  Actions OnStoreRecovered(MonoTime now);
  // The hypervisor says that this machine was restored from a snapshot.
  Actions OnRestored(MonoTime now);
  // On an error nothing has changed.
  absl::Status OnCommand(MonoTime now, const Command& command, Actions* out);
  Actions Tick(MonoTime now);

  // Wall-clock milliseconds since 1970 at `now`, every second or so: for the history's times and for DNS.
  void SetWallClock(MonoTime now, uint64_t wall_ms);

  // What the workers report of flows that this node serves by pinned flow (proto/balance.h); `round`: the round of
  // reports that all of them have finished.
  Actions OnFlows(MonoTime now, const std::vector<FlowKey>& flows, uint8_t round);
  // LookUpFlow: what the workers have for the flow.
  Actions OnFlowFound(MonoTime now, const LookUpFlow& question, const std::optional<FlowEntry>& found);
  // What the checks of this node have found.
  Actions OnHealth(MonoTime now, ServiceHealth health);

  // The names that change, as they are now.
  Actions OnNames(MonoTime now, std::shared_ptr<const LiveNames> names);

  // The earliest time at which Tick has something to do.
  MonoTime NextDeadline() const;
  ControllerStatus status(MonoTime now) const;
  // The first service address, as it is claimed or to be claimed.
  std::optional<IpAddress> first_address() const;
  // The deadline of this node's drain has passed.
  bool drained() const { return balancing_.drain().over(); }
  const History& history() const { return history_.history(); }
  const admission::Roll& roll() const { return roll_; }
  const ClusterConfig& config() const { return config_; }
  const clusterconfig::SharedConfig& shared_config() const { return shared_config_; }

 private:
  bool active() const { return life_ && !stopping_.finished(); }
  void Configure(MonoTime now, Actions* out);

  // What comes in.
  bool NoticeHeld(MonoTime now, Actions* out);
  // `hello`: the one in it, if any.
  void Understand(MonoTime now, const Incoming& incoming, const wire::Hello* hello, Actions* out);
  void UnderstandHello(MonoTime now, const Member& member, const wire::Hello& hello, Actions* out);
  void OnMemberChanges(MonoTime now, const std::vector<MemberChange>& changes, Actions* out);
  void TickLife(MonoTime now, Actions* out);
  void OnLifeChange(MonoTime now, LifeChange change, Actions* out);
  void OnClone(MonoTime now, const Incoming& incoming, const wire::Hello* hello, Actions* out);
  void OnChunk(MonoTime now, const wire::Chunk& chunk, Actions* out);
  void OnPinnedFlows(const Incoming& incoming, Actions* out);
  void OnRemoteCommand(MonoTime now, const wire::RemoteCommand& command, Actions* out);
  void FollowForgotten();
  void FollowAddresses(MonoTime now, const wire::Hello& hello);
  void TickDrain(MonoTime now, Actions* out);
  void TickStop(MonoTime now, Actions* out);

  // Commands.
  absl::Status Do(MonoTime now, const SetMaintenance& command, Actions* out);
  absl::Status Do(MonoTime now, const HandOver& command, Actions* out);
  absl::Status Do(MonoTime now, const SetDraining& command, Actions* out);
  absl::Status Do(MonoTime now, const SetWeight& command, Actions* out);
  absl::Status Do(MonoTime now, const ForgetNode& command, Actions* out);
  absl::Status Do(MonoTime now, const AddKey& command, Actions* out);
  absl::Status Do(MonoTime now, const UseKey& command, Actions* out);
  absl::Status Do(MonoTime now, const RemoveKey& command, Actions* out);
  absl::Status Do(MonoTime now, const QueryFlow& command, Actions* out);
  absl::Status Do(MonoTime now, const BeginCluster& command, Actions* out);
  absl::Status Do(MonoTime now, const OpenToken& command, Actions* out);
  absl::Status Do(MonoTime now, const RotateKey& command, Actions* out);
  absl::Status Do(MonoTime now, const RevokeNodes& command, Actions* out);
  absl::Status Do(MonoTime now, const CloseToken& command, Actions* out);
  absl::Status Do(MonoTime now, const FoundCluster& command, Actions* out);
  absl::Status Do(MonoTime now, const EnrolMembers& command, Actions* out);
  absl::Status Do(MonoTime now, const AdmitNode& command, Actions* out);
  absl::Status Do(MonoTime now, const AdmitAll& command, Actions* out);
  absl::Status Do(MonoTime now, const LeaveCluster& command, Actions* out);
  absl::Status Do(MonoTime now, const ProposeConfig& command, Actions* out);
  absl::Status Do(MonoTime now, const ConfirmConfig& command, Actions* out);
  absl::Status Do(MonoTime now, const AbortConfig& command, Actions* out);
  absl::Status Do(MonoTime now, const AcknowledgeConfig& command, Actions* out);
  absl::Status Do(MonoTime now, const Stop& command, Actions* out);
  absl::Status SendOrCarryOut(MonoTime now, const NodeId& node, const wire::RemoteCommand& command, Actions* out);
  absl::Status ChangeKeys(MonoTime now, const absl::StatusOr<Keyring>& next, Actions* out);
  void UseKeys(const Keyring& keyring, Actions* out);
  // The keys, or the records of who belongs to the cluster, are other ones.
  void FollowKeys(MonoTime now, Actions* out);

  // The end of each step: `decided` comes after what must come first.
  Actions Conclude(MonoTime now, Actions decided);
  void StepConfig(MonoTime now, Actions* out);
  void ApplyRole(MonoTime now, Actions* out);
  GateWish WishForGate() const;
  void Publish(MonoTime now, Actions* out);
  std::shared_ptr<const HeartbeatPlan> MakeHeartbeatPlan(MonoTime now) const;
  std::optional<BootId> HeartbeatBoot() const;
  void Send(MonoTime now, const Outgoing& outgoing, Actions* out);
  void SendHello(MonoTime now, Actions* out);
  Duration HelloInterval() const;
  void HelloBy(MonoTime at);  // the next one, at the latest

  // What is known.
  bool IsLeaderIn(const std::set<admission::Fingerprint>& nodes) const;
  bool leads() const { return election_.role() == Role::kMaster; }
  bool FollowsUs(const NodeId& node) const;
  bool OfOurCluster(const Event& event) const;
  std::string WhoIsAt(const MacAddress& mac) const;
  ElectionInput Input() const;
  HistoryView ViewForHistory(MonoTime now);
  BalanceView ViewForBalance(MonoTime now);
  admission::RollView ViewForRoll(MonoTime now);
  admission::AdoptionView ViewForAdoption(MonoTime now);
  clusterconfig::ConfigView ViewForConfig(MonoTime now);
  clusterconfig::Health HealthSeen() const;
  admission::Occasion OccasionAt(MonoTime now) const;
  wire::Hello HelloNow(MonoTime now) const;
  NodeRow OwnRow(MonoTime now) const;
  MacAddress Mac(int hop) const { return OwnMac(facts_, config_.service_mac, hop); }

  const NodeFacts facts_;
  StoredState stored_;  // keyring, maintenance, drain, weights, age: as they are now; the rest as it was at boot
  absl::BitGenRef random_;
  StepClock clock_;
  ClusterConfig config_;

  Transport transport_;
  Membership members_;
  admission::Roll roll_;
  admission::Adoption adoption_;
  clusterconfig::SharedConfig shared_config_;
  std::optional<Lifetime> life_;  // from the first configuration on
  HistoryKeeper history_;
  Election election_;
  LeaseMemory lease_memory_;
  CloneWatch clone_;
  Namesakes namesakes_;
  ConfigWatch config_watch_;
  HelloTimer hello_timer_;
  ServiceAddresses addresses_;
  NodeAddresses node_addresses_;
  SnapshotBuilder snapshots_;
  Balancing balancing_;
  FlowQuestions flow_questions_;
  GateOutput gate_;
  PersistLedger ledger_;
  Stopping stopping_;
  MachineState machine_;
};

}  // namespace qure
