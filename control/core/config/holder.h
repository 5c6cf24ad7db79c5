// Each node's side of the configuration: what is prepared, on trial, open, expired or confirmed here, what is taken
// from others, and what runs. Nothing runs for good before it is durable, and nothing that is not confirmed runs after
// its deadline or a restart. What is on trial is in no message.
//
// Time is MonoTime, which stands still while the machine sleeps: a node that slept goes on with what was left of a
// deadline, until it hears the verdict of the others. No time crosses a restart, since a restart itself is a verdict.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/core/admission/view.h"
#include "control/core/config/entry.h"
#include "control/core/config/ledger.h"
#include "control/core/config/messages.h"
#include "control/core/config/trial.h"
#include "proto/cluster/node.h"
#include "proto/time.h"

namespace qure::clusterconfig {

// Whom this node follows as master; it may be this node itself.
struct Mastership {
  NodeId node{};
  Term term;
  friend bool operator==(const Mastership&, const Mastership&) = default;
};

// What this node cannot run, though it is in effect: it takes no mastership, no share and holds no service address.
struct Unable {
  Version version;
  Finding finding;
};

// The parts of `body` that were asked for.
void SendParts(const NodeId& to, const PullBodyMessage& message, std::string_view body, Actions* out);

class Holder {
 public:
  Holder(const Self& self, const StoredConfig& stored);
  // Applies what is in effect. Before it, nothing runs.
  void Start(MonoTime now, Actions* out);

  void FollowView(MonoTime now, const admission::View& view, Actions* out);
  // None: no master is known. What was prepared under an earlier term is given up once a later one is followed.
  void FollowMaster(MonoTime now, const std::optional<Mastership>& master, Actions* out);
  // The other members that are reachable: bodies are pulled from them.
  void UsePeers(std::vector<NodeId> peers) { peers_ = std::move(peers); }

  // Messages of authenticated members, checked for size (wire.h). What does not fit the present state is ignored.
  // `body`: of a change of this node's own; others pull it.
  void OnPrepare(MonoTime now, const NodeId& from, const PrepareMessage& message, Body body, Actions* out);
  void OnTrial(MonoTime now, const NodeId& from, const TrialMessage& message, Actions* out);
  void OnOpen(MonoTime now, const NodeId& from, const OpenMessage& message, Actions* out);
  void OnConfirmed(MonoTime now, const ConfirmedMessage& message, Actions* out);
  void OnAbort(MonoTime now, const NodeId& from, const AbortMessage& message, Actions* out);
  void OnMap(MonoTime now, const NodeId& from, const MapMessage& message, Actions* out);
  void OnPullRest(const NodeId& from, Actions* out) const;
  void OnPullEntry(MonoTime now, const NodeId& from, const PullEntryMessage& message, Actions* out) const;
  void OnEntry(MonoTime now, const EntryMessage& message, Actions* out);
  void OnPart(MonoTime now, const PartMessage& message, Actions* out);
  // `from` is alive, and its map has this digest (both are in each HELLO).
  void OnDigest(MonoTime now, const NodeId& from, uint64_t digest, Actions* out) const;

  // Answers of the host. A finding: the node would not, or does not, run it.
  void OnValidated(MonoTime now, const Version& version, std::optional<Finding> finding, Actions* out);
  void OnApplied(MonoTime now, const Version& version, std::optional<Finding> finding, Actions* out);
  void OnSaved(MonoTime now, uint64_t ticket, bool ok, Actions* out);
  // Whenever it changes, and once in a hello interval.
  void OnHealth(MonoTime now, const Health& health, Actions* out);
  // Something has changed that an apply may have failed for: an interface, an address.
  void OnEvent(MonoTime now, Actions* out);

  // By the master that numbered it: all members have voted, and the canary has not objected. With a timeout it is open,
  // else confirmed. The others are sent it once it is durable here.
  void Decide(MonoTime now, const Version& version, const admission::RecordHead& head, Actions* out);
  // By the operator, at this node. Refused unless this node runs it and its deadline is not over. StageReached says
  // when it is durable: only then it may be reported as confirmed.
  std::optional<Finding> Confirm(MonoTime now, const Version& version, const admission::RecordHead& head, Actions* out);
  // By the operator, at any node: what is open is rolled back before its deadline. False: nothing is open.
  bool RollBack(MonoTime now, Actions* out);
  // Of this node's own numbering: `entry` with the body of what runs is confirmed at once.
  void Take(MonoTime now, const admission::Record& entry, const admission::RecordHead& head, Actions* out);
  // The operator has seen what was lost.
  void Acknowledge(MonoTime now, Actions* out);

  void Tick(MonoTime now, Actions* out);
  MonoTime NextDeadline() const;

  const Ledger& ledger() const { return ledger_; }
  const StageMap& stages() const { return ledger_.stages(); }
  std::optional<Version> InEffect() const { return stages().InEffect(); }
  // What the host applied last, without an objection; zero: nothing. While a change is on trial, that one.
  const Version& running() const { return running_; }
  bool on_trial() const { return trial_.has_value(); }
  std::optional<Version> trying() const { return trial_ ? std::optional(trial_->version()) : std::nullopt; }
  const std::optional<Unable>& unable() const { return unable_; }
  const Signers& signers() const { return signers_; }
  // Why no change but `except` can begin; nothing: one can.
  std::optional<Finding> Busy(MonoTime now, const std::optional<Version>& except = std::nullopt) const;
  // Also of a change that is being prepared. Null: not here.
  Body BodyOf(const Digest& digest) const;

 private:
  // A change that this node is asked to vote on.
  struct Preparing {
    admission::Record entry;
    bool dry_run = false;
    Body body;
    std::optional<VoteMessage> vote;  // absent: not yet
    MonoTime until;
  };

  bool IsMaster(const NodeId& node) const { return master_ && master_->node == node; }
  void Vote(std::optional<Finding> objection, Actions* out);
  void Judge(MonoTime now, Actions* out);
  void ExpireOldTerms(Actions* out);
  void Expire(const Version& version, const char* why, Actions* out);
  void Note(const std::vector<Version>& changed, Actions* out);
  void LogLateConfirmation(const Version& version, Actions* out) const;
  void Want(MonoTime now, const NodeId& from, const Version& version, Actions* out);
  void Fetch(MonoTime now, Actions* out);
  void Reconcile(Actions* out);
  // At the end of each step: what has changed is stored, and what is due runs.
  void Settle(MonoTime now, Actions* out);
  // Sent once all that has changed so far is durable.
  void AfterSave(Message message) { after_save_.push_back(std::move(message)); }
  void SendAfterSave(std::vector<Message> messages, Actions* out) const;
  MapMessage MapOf(MonoTime now) const;
  MapMessage::Entry EntryOfMap(MonoTime now, const Version& version, Stage stage) const;

  Self self_;
  Ledger ledger_;
  Signers signers_;
  std::optional<Mastership> master_;
  std::vector<NodeId> peers_;
  Health health_;

  std::optional<Preparing> preparing_;
  std::optional<Trial> trial_;
  std::optional<CheckedMessage> checked_;  // the verdict of the last trial
  std::optional<BodyFetch> fetch_;
  NodeId source_{};                     // whose map was last taken
  std::map<Version, MonoTime> wanted_;  // entries that were asked for, and when
  std::vector<Message> after_save_;     // wait for what has changed since the Save under way
  std::vector<Message> with_save_;      // wait for the Save under way
  uint64_t sent_digest_ = 0;            // of the map that was last sent to all
  bool started_ = false;
  std::optional<Version> asked_ = Version{};  // of the last Apply; none: apply again
  Version running_;
  std::optional<Version> orphan_;  // ran, and was made by a node that was expelled since
  std::optional<Unable> unable_;
  MonoTime apply_again_ = kNever;
  MonoTime store_again_ = kNever;  // the store fails; nothing is given to it before
};

}  // namespace qure::clusterconfig
