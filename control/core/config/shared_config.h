// The configuration of the cluster as a part of the control core: joins Configuration to members, messages, store and
// host. It acts only where this node belongs to a cluster with records, since all entries are signed by identities; and
// it is empty until a first configuration has been adopted.
//
// Each HELLO carries the digest of its sender's map; who has another one sends what it knows.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "control/core/action.h"
#include "control/core/admission/roll.h"
#include "control/core/cluster/membership.h"
#include "control/core/cluster/transport.h"
#include "control/core/config/configuration.h"
#include "control/core/config/effects.h"
#include "control/core/config/history.h"
#include "control/core/persist_ledger.h"
#include "control/core/stored.h"
#include "proto/cluster/cluster.pb.h"
#include "proto/time.h"

namespace qure::clusterconfig {

// What a step works with. Nothing is null.
struct ConfigView {
  MonoTime now;
  const admission::Roll* roll = nullptr;
  const Membership* members = nullptr;
  Transport* transport = nullptr;
  PersistLedger* ledger = nullptr;
  admission::Occasion occasion;
  std::optional<Mastership> master;  // that this node follows, or is
  Rank rank;                         // of this node
  Health health;
};

// What operators are shown.
struct ConfigStatus {
  struct Change {
    Version version;
    Stage stage = Stage::kNone;
    std::string by;                // name of the node that numbered it
    uint64_t time = 0;             // hybrid logical
    uint32_t size = 0;             // bytes of its body
    std::optional<Duration> left;  // of what is open
  };
  // One that they can look back at.
  struct Past {
    Change change;
    PastVersion version;
  };
  bool possible = false;  // this node belongs to a cluster with records
  std::optional<Change> in_effect;
  std::optional<Change> pending;   // prepared or open; then it is in effect, too
  std::optional<Version> running;  // by this node
  bool on_trial = false;           // this node tries a change for a moment
  std::optional<Unable> unable;    // this node
  std::vector<Change> lost;        // of which an operator has not been told: greatest first
};

// What was in effect, durably, when the node that has this store ended: what its host begins with.
struct StoredEffect {
  Version version;
  Body body;
};
// None: no configuration of that cluster.
std::optional<StoredEffect> InEffectAtStart(const StoredState& stored, const ClusterId& cluster);

class SharedConfig {
 public:
  SharedConfig(const NodeId& self, StoredConfig stored) : self_(self), stored_(std::move(stored)) {}

  // Who belongs to the cluster has changed.
  void FollowRoll(const ConfigView& view, qure::Actions* out);
  // The end of each step.
  void Step(const ConfigView& view, qure::Actions* out);
  void Tick(const ConfigView& view, qure::Actions* out);
  MonoTime deadline() const;

  void FillHello(wire::Hello* hello) const;
  // A HELLO of a present member.
  void OnHello(const ConfigView& view, const Member& member, qure::Actions* out);
  // False: the message is none of these.
  bool OnMessage(const ConfigView& view, const Incoming& incoming, qure::Actions* out);

  // Answers of the host and the store.
  void OnValidated(const ConfigView& view, const Version& version, std::optional<Finding> finding, qure::Actions* out);
  void OnApplied(const ConfigView& view, const Version& version, std::optional<Finding> finding, qure::Actions* out);
  void OnPersisted(const ConfigView& view, uint64_t ticket, bool ok, qure::Actions* out);
  // What could not be applied or stored may succeed now.
  void OnEvent(const ConfigView& view, qure::Actions* out);

  // Of an operator at this node. Answered follows, unless it is refused at once.
  absl::Status Propose(const ConfigView& view, Request request, std::string_view by, qure::Actions* out);
  absl::Status Confirm(const ConfigView& view, uint64_t id, qure::Actions* out);
  absl::Status Abort(const ConfigView& view, qure::Actions* out);
  // What runs becomes a new version, signed by this node, the master: before a roster without the one that signed it.
  // False: nothing was done, since a change is under way.
  bool Renumber(const ConfigView& view, qure::Actions* out);
  absl::Status Acknowledge(const ConfigView& view, qure::Actions* out);

  // Otherwise all of this does nothing, but for FollowRoll.
  bool takes_part() const { return configuration_.has_value(); }
  // This node may lead and serve: it runs what is in effect, or is about to.
  bool able() const;
  // The version that this node reports as its own to the others.
  const std::optional<Version>& said() const { return said_; }
  // What operators and the history have to know of: open, confirmed, or rolled back after it was open.
  std::vector<StageReached> TakeReached() { return std::exchange(reached_, {}); }
  // Before and during a trial here: does the gateway answer?
  bool TakeAsksGateway() { return std::exchange(asks_gateway_, false); }
  bool TakeChanged() { return std::exchange(changed_, false); }  // what HELLOs say has changed
  ConfigStatus Status(MonoTime now) const;
  // Greatest first: HistoryOf.
  std::vector<ConfigStatus::Past> History(MonoTime now) const;
  // Of what this node runs; null: it runs none.
  Body Text() const;
  // Null: this node does not take part.
  const Holder* holder() const { return takes_part() ? &configuration_->holder() : nullptr; }

 private:
  admission::RecordHead Head(const ConfigView& view) const;
  std::vector<NodeId> MembersOf(const ConfigView& view) const;
  std::optional<ConfigStatus::Change> ChangeOf(MonoTime now, const std::optional<Version>& version) const;
  absl::Status Possible() const;
  void FollowCluster(const ConfigView& view, qure::Actions* out);
  void SeeHealth(const ConfigView& view, qure::Actions* out);
  void NoteChanges();

  // Messages of this node to itself are taken at once.
  void Execute(const ConfigView& view, clusterconfig::Actions actions, qure::Actions* out);
  void Do(const ConfigView& view, const SendTo& action, qure::Actions* out);
  void Do(const ConfigView& view, const SendToAll& action, qure::Actions* out);
  void Do(const ConfigView& view, const Save& action, qure::Actions* out);
  void Do(const ConfigView& view, const StageReached& action, qure::Actions* out);
  template <typename Other>
  void Do(const ConfigView&, const Other& action, qure::Actions* out) {
    out->push_back(action);
  }

  const NodeId self_;
  StoredConfig stored_;  // until it takes part
  std::optional<Configuration> configuration_;
  std::optional<Mastership> master_;
  std::vector<NodeId> members_;
  Health health_;
  MonoTime next_health_ = kNever;  // while a change is on trial here
  bool asks_gateway_ = false;
  bool starting_ = false;        // what was in effect at the start is not applied yet
  std::optional<Version> said_;  // to run here, in HELLOs
  uint64_t told_digest_ = 0;     // as the others were last told …
  bool told_unable_ = false;     // … and this
  bool changed_ = false;
  std::set<Version> opened_;  // in this boot
  std::vector<StageReached> reached_;
  std::optional<std::pair<uint64_t, uint64_t>> save_;       // its ticket in the ledger, and its own
  std::optional<std::pair<uint64_t, Version>> confirming_;  // id of the operator's order
};

}  // namespace qure::clusterconfig
