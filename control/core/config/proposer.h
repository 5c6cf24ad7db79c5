// The master's side of a change: it numbers it, has all reachable members vote on it, lets one node try it, and
// decides. One change at a time, and none while another is pending. What it is in the middle of when it loses its
// mastership ends by itself at each node.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/core/admission/records.h"
#include "control/core/config/entry.h"
#include "control/core/config/holder.h"
#include "control/core/config/messages.h"
#include "proto/cluster/node.h"
#include "proto/time.h"

namespace qure::clusterconfig {

struct Request {
  uint64_t id = 0;                  // for the answer
  Body body;                        // 1 to kMaxConfigBody bytes; others are refused
  std::optional<Duration> confirm;  // roll back unless confirmed within this: 1 s to kMaxConfirmTimeoutMs
  bool canary = true;               // one node tries it first
  bool dry_run = false;             // votes only
  std::optional<Version> base;      // refused unless this is in effect
};

class Proposer {
 public:
  // `holder` is this node's, and outlives the proposer.
  Proposer(const Self& self, Holder* holder);

  void FollowMaster(MonoTime now, const std::optional<Mastership>& master, Actions* out);
  // All members that are reachable, this node among them, the best ranked first: the last one is the canary, so of two
  // nodes the deputy. Who is not among them any more is not waited for.
  void UseMembers(MonoTime now, const std::vector<NodeId>& members, Actions* out);

  // Answered says what has come of it. `head`: for its records. Refused at a node that is not master.
  void Propose(MonoTime now, Request request, const admission::RecordHead& head, Actions* out);
  // The change under way is given up. False: none is.
  bool Abort(Actions* out);
  // What this node runs becomes a new version, confirmed at once, so that no older one can be in effect any more: when
  // a roster is made, and kConfigRenumber after a change has expired. False: no master, nothing runs, or a change is
  // pending.
  bool Renumber(MonoTime now, const admission::RecordHead& head, Actions* out);

  void OnForward(MonoTime now, const NodeId& from, const ForwardMessage& message, const admission::RecordHead& head,
                 Actions* out);
  void OnPart(MonoTime now, const PartMessage& message, const admission::RecordHead& head, Actions* out);
  void OnVote(MonoTime now, const NodeId& from, const VoteMessage& message, const admission::RecordHead& head,
              Actions* out);
  void OnChecked(MonoTime now, const NodeId& from, const CheckedMessage& message, const admission::RecordHead& head,
                 Actions* out);

  void Tick(MonoTime now, const admission::RecordHead& head, Actions* out);
  MonoTime NextDeadline() const;

  bool idle() const { return !change_ && !forward_; }

 private:
  enum class Step : uint8_t { kOwnVote, kVotes, kTrial };
  struct Change {
    uint64_t id = 0;
    std::optional<NodeId> forwarder;  // is answered in place of our own operator
    admission::Record entry;
    Request request;
    Step step = Step::kOwnVote;
    std::map<NodeId, bool> voted;  // by all others that are asked
    NodeId canary{};
    MonoTime until;     // of this step
    MonoTime again_at;  // what was not answered is sent again
    const Version& version() const { return EntryOf(entry).version; }
  };
  struct Forward {
    NodeId from{};
    ForwardMessage message;
    BodyFetch fetch;
    MonoTime until;
  };

  bool is_master() const { return master_ && master_->node == self_.node; }
  void Begin(MonoTime now, Request request, std::optional<NodeId> forwarder, const admission::RecordHead& head,
             Actions* out);
  std::optional<Finding> Obstacle(MonoTime now, const Request& request) const;
  bool Outdated() const;
  admission::Record NumberNext(const Draft& draft, const admission::RecordHead& head);
  void SendStep(MonoTime now, Actions* out);
  void Advance(MonoTime now, const admission::RecordHead& head, Actions* out);
  void BeginTrial(MonoTime now, Actions* out);
  void Decide(MonoTime now, const admission::RecordHead& head, Actions* out);
  // Ends the change; with a finding it is given up everywhere.
  void End(const std::optional<NodeId>& node, std::optional<Finding> refusal, Actions* out);
  bool RenumberDue(const admission::RecordHead& head) const;

  Self self_;
  Holder* holder_;
  std::optional<Mastership> master_;
  std::vector<NodeId> members_;
  std::optional<Change> change_;
  std::optional<Forward> forward_;
  uint64_t last_n_ = 0;  // of this term
};

}  // namespace qure::clusterconfig
