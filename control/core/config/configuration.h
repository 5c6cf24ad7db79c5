// A node's part in the configuration of the cluster, as one piece: its holder, and its proposer for when it is master.
// The host gives it time, messages of authenticated members and answers, and does what the actions say.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "control/core/admission/view.h"
#include "control/core/config/holder.h"
#include "control/core/config/messages.h"
#include "control/core/config/proposer.h"
#include "proto/cluster/node.h"
#include "proto/time.h"

namespace qure::clusterconfig {

// Every function takes the time and appends to `out`. `head` is what records that are made now begin with.
class Configuration {
 public:
  Configuration(const Self& self, const StoredConfig& stored);
  Configuration(const Configuration&) = delete;
  Configuration& operator=(const Configuration&) = delete;

  // After the first FollowView: what is in effect is applied.
  void Start(MonoTime now, Actions* out);
  void FollowView(MonoTime now, const admission::View& view, Actions* out);
  // `members`: all that are reachable, this node among them, the best ranked first.
  void FollowCluster(MonoTime now, const std::optional<Mastership>& master, const std::vector<NodeId>& members,
                     Actions* out);

  void OnMessage(MonoTime now, const NodeId& from, const Message& message, const admission::RecordHead& head,
                 Actions* out);
  // In the HELLO of `from`.
  void OnDigest(MonoTime now, const NodeId& from, uint64_t digest, Actions* out) const;

  void OnValidated(MonoTime now, const Version& version, std::optional<Finding> finding,
                   const admission::RecordHead& head, Actions* out);
  void OnApplied(MonoTime now, const Version& version, std::optional<Finding> finding,
                 const admission::RecordHead& head, Actions* out);
  void OnSaved(MonoTime now, uint64_t ticket, bool ok, const admission::RecordHead& head, Actions* out);
  void OnHealth(MonoTime now, const Health& health, const admission::RecordHead& head, Actions* out);
  void OnEvent(MonoTime now, Actions* out);

  // At any node: one that is not master forwards it. Answered follows, but not if the master is lost meanwhile.
  void Propose(MonoTime now, Request request, std::string_view by, const admission::RecordHead& head, Actions* out);
  std::optional<Finding> Confirm(MonoTime now, const Version& version, const admission::RecordHead& head, Actions* out);
  void Acknowledge(MonoTime now, Actions* out);
  // The change that this node is preparing as master, or one that is open, is given up everywhere. False: there is
  // none.
  bool Abort(MonoTime now, const admission::RecordHead& head, Actions* out);
  bool Renumber(MonoTime now, const admission::RecordHead& head, Actions* out);

  void Tick(MonoTime now, const admission::RecordHead& head, Actions* out);
  MonoTime NextDeadline() const;

  const Holder& holder() const { return holder_; }
  // A change of this node's operator is under way at another master.
  bool forwards() const { return forwarded_.has_value(); }
  // Of the map, for our HELLOs.
  uint64_t digest() const { return holder_.stages().Digest(); }

 private:
  // What this node has for itself is delivered at once.
  void Deliver(MonoTime now, const admission::RecordHead& head, Actions* out);
  void Dispatch(MonoTime now, const NodeId& from, const Message& message, const admission::RecordHead& head,
                Actions* out);
  void OnPullBody(const NodeId& from, const PullBodyMessage& message, Actions* out);

  Self self_;
  Holder holder_;
  Proposer proposer_;
  std::optional<Mastership> master_;
  // Of a change of this node's operator that the master is to pull.
  struct Forwarded {
    ForwardMessage message;
    Body body;
    MonoTime until;
    MonoTime again_at;
  };
  std::optional<Forwarded> forwarded_;
};

}  // namespace qure::clusterconfig
