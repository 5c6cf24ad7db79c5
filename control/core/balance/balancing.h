// The balance of a cluster, from the point of view of one node: what it can take, the balance epochs that the master
// decides and all follow, and the flows that it serves by pinned flow. Joins Balancer and PinnedFlowReporter to the
// messages.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "control/core/action.h"
#include "control/core/balance/balancer.h"
#include "control/core/balance/drain.h"
#include "control/core/balance/health.h"
#include "control/core/balance/hearing_watch.h"
#include "control/core/balance/heavy_hitters.h"
#include "control/core/balance/pinned_flows.h"
#include "control/core/cluster/membership.h"
#include "control/core/cluster/transport.h"
#include "control/core/timers.h"

namespace qure {

// What a step looks at.
struct BalanceView {
  MonoTime now;
  bool leads = false;
  bool serves = false;  // leads, and its gate is open
  bool able = true;     // runs what the cluster is to run
  std::optional<NodeId> master;
  std::optional<NodeId> deputy;
  const ClusterConfig* config = nullptr;
  const Membership* members = nullptr;
  Transport* transport = nullptr;
};

class Balancing {
 public:
  // `random` outlives it.
  Balancing(const NodeId& self, std::string name, uint32_t weight, absl::BitGenRef random);

  // What the operator has set for this node.
  void SetWeights(std::map<std::string, uint32_t> weights);
  Drain& drain() { return drain_; }
  const Drain& drain() const { return drain_; }
  const std::map<std::string, uint32_t>& weights() const { return weights_; }
  // What the checks of this node have found.
  void SetHealth(ServiceHealth health);
  const ServiceHealth& health() const { return health_; }
  uint32_t WeightOf(const ServiceConfig& service) const;

  void FillHello(MonoTime now, const ClusterConfig& config, wire::Hello* hello) const;
  // True if the message was one of the balance's.
  bool OnMessage(const BalanceView& view, const Incoming& incoming, Actions* out);
  // A HELLO of a present member.
  void OnHello(const BalanceView& view, const Member& member, Actions* out);
  // The workers have looked at all of this node's flows in round `round`, and found these to be pinned flows.
  void OnFlows(const std::vector<OwnedFlow>& flows);
  void OnRoundDone(uint8_t round);
  // A worker of the master has seen many new flows from this address.
  void OnHeavyHitter(MonoTime now, const RemoteAddress& remote, bool many);

  // The end of each step. True if what Compile makes has changed.
  bool Step(const BalanceView& view, Actions* out);
  MonoTime deadline() const;
  // Null without services.
  std::shared_ptr<const Balance> Compile(const BalanceView& view, const MacAddress& hop0, const MacAddress& hop1);

  // Sends a command to another node, a few times: its effect shows in that node's HELLO.
  void SendCommand(MonoTime now, const NodeId& node, const wire::RemoteCommand& command);

  // The master and the deputy know of all pinned flows of this node under the present balance epoch; where a service
  // has delivery = "multicast", all nodes do, in the last of the stages.
  bool settled() const { return round_digest_ == balancer_.digest() && stage() >= stages(); }
  // The deputy, if it knows of all pinned flows: were it to lead now, no flow would be lost. At the master.
  const std::optional<NodeId>& informed() const { return informed_; }
  // It is heard, and hears nobody: for the balance it is not there.
  bool Deaf(MonoTime now, const Member& member) const { return hearing_.Deaf(now, member); }
  const Balancer& balancer() const { return balancer_; }
  std::optional<NodeSlot> SlotOf(const NodeId& node) { return balancer_.SlotOf(node); }

 private:
  struct Parts {
    uint64_t digest = 0;
    std::map<uint32_t, std::string> parts;
    uint32_t total = 0;
  };
  struct SentCommand {
    NodeId node{};
    wire::RemoteCommand command;
    int left = 0;
    MonoTime next;
  };

  Capacity OwnCapacity(const ClusterConfig& config) const;
  uint32_t stages() const { return multicast_ ? kMulticastStages : 1; }
  uint32_t stage() const { return RoundEnded() ? round_stage_ : round_stage_ - 1; }
  bool RoundEnded() const;
  bool TakesPart(const BalanceView& view, const Member& member) const;
  bool AllAt(const BalanceView& view, uint32_t stage) const;
  bool AllHaveReported(const BalanceView& view, const std::set<NodeId>& whom) const;
  std::optional<NodeId> InformedDeputy(const BalanceView& view) const;
  bool KnowsAll(const BalanceView& view) const;
  void NoteReadiness(const BalanceView& view);
  void NextRound(const BalanceView& view);
  void SendCommands(const BalanceView& view, Actions* out);
  Demand DemandOf(const BalanceView& view, const std::set<NodeId>& present);
  void Push(const BalanceView& view, const std::optional<PeerAddress>& to, Actions* out) const;
  void OnPart(const BalanceView& view, const Incoming& incoming);
  std::set<NodeId> Targets(const BalanceView& view) const;
  std::set<NodeId> Present(const BalanceView& view) const;
  std::set<NodeId> Drained(const BalanceView& view, const std::set<NodeId>& present) const;
  std::map<NodeId, std::set<ServiceId>> UnhealthyAt(const BalanceView& view, const std::set<NodeId>& present) const;

  NodeId self_;
  std::string name_;
  uint32_t weight_;
  absl::BitGenRef random_;
  Balancer balancer_;
  PinnedFlowReporter reporter_;
  HearingWatch hearing_;
  HeavyHitters heavy_hitters_;
  bool led_ = false;
  bool multicast_ = false;      // a service has delivery = "multicast"
  MonoTime ready_by_ = kNever;  // from then on a node that was not heard is not waited for
  bool ready_ = false;          // knows the balance epochs and the nodes with shares: may have one, too
  Drain drain_;
  std::map<std::string, uint32_t> weights_;
  ServiceHealth health_;
  std::optional<NodeId> informed_;
  bool changed_ = false;
  Parts parts_;
  MonoTime next_pull_;
  std::vector<SentCommand> commands_;

  uint8_t round_ = 1;       // of reports
  uint8_t round_done_ = 0;  // of the workers
  uint64_t round_digest_ = 0;
  uint32_t round_stage_ = 1;  // that this node is at when the round is done
  uint64_t steady_ = 0;       // the digest of the balance epochs by which all nodes go
  std::set<NodeId> targets_;
  std::set<NodeId> present_;
  std::set<NodeId> drained_;                            // the deadlines of their drains have passed
  std::map<NodeId, std::set<ServiceId>> unhealthy_at_;  // services whose check fails there
  std::optional<NodeId> master_;
  MonoTime next_round_ = kNever;
};

}  // namespace qure
