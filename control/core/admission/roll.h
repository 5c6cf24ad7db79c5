// The member's part in admission: this node's own signing key, the records of its cluster, and their way from member to
// member inside the sealed envelope. Each HELLO carries the digest of its sender's view; who has another one pulls, at
// most once a peer in kPullInterval: it lists what its view rests on and is sent what it lacks. A node that has no
// records yet takes the genesis of the first member that sends one, and of its cluster no other.
//
// By whom a record is sent does not matter: it counts by its signatures alone (view.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/core/action.h"
#include "control/core/admission/codes.h"
#include "control/core/admission/records.h"
#include "control/core/admission/signing.h"
#include "control/core/admission/view.h"
#include "control/core/cluster/allowance.h"
#include "control/core/cluster/identity.h"
#include "control/core/cluster/membership.h"
#include "control/core/cluster/transport.h"
#include "control/core/persist_ledger.h"
#include "proto/cluster/cluster.pb.h"
#include "proto/time.h"

namespace qure::admission {

// What a step works with.
struct RollView {
  MonoTime now;
  const Membership* members = nullptr;
  Transport* transport = nullptr;
  PersistLedger* ledger = nullptr;
};

// What a founder or admitter writes into its records, for display.
struct Occasion {
  uint64_t time = 0;       // hybrid logical
  uint64_t uptime_ms = 0;  // of the cluster
};

// What operators are shown.
struct RollStatus {
  struct Row {
    Fingerprint identity{};
    NodeId node{};
    std::string name;        // as it was admitted; empty: it founded the cluster, or is in its roster
    bool forgotten = false;  // IsForgotten
    friend bool operator==(const Row&, const Row&) = default;
  };
  struct OpenToken {
    TokenId id{};
    uint32_t uses = 0;                 // that are left
    std::vector<std::string> used_by;  // names
    uint64_t until_uptime = 0;         // TokenView
    friend bool operator==(const OpenToken&, const OpenToken&) = default;
  };
  std::optional<Fingerprint> own;      // of this node's identity
  std::optional<Fingerprint> cluster;  // absent: no records are kept
  bool expelled = false;               // a roster leaves this node out
  uint32_t generation = 0;
  std::vector<Row> nodes;  // that belong to the cluster
  std::vector<OpenToken> tokens;
  std::vector<NodeId> outside;  // members that are there, and do not
  std::vector<NodeId> behind;   // members that are there, and have other records: they pull, and so does this node
  std::optional<NodeId> founded_otherwise;
};

// An operator takes it for dead, and no later boot of it was heard.
bool IsForgotten(const MemberView& member, const Membership& members);

class Roll {
 public:
  // `stored`: what was made durable (StoredState::records).
  Roll(const NodeId& self, const std::optional<Seed>& identity, const std::optional<CopyOf>& copy_of,
       const std::vector<std::vector<uint8_t>>& stored);

  // The cluster that this node belongs to by its configuration. Records of another one are kept and not used.
  void Configure(const ClusterId& cluster, Actions* out);

  const SigningKey* key() const { return key_ ? &*key_ : nullptr; }
  // Null: no records are kept in this cluster.
  const RecordSet* records() const { return usable_ ? &*records_ : nullptr; }
  const View& view() const { return view_; }  // empty without records
  // A roster leaves it out.
  bool expelled() const { return usable_ && key_ && view_.generation > 0 && !belongs() && !left(); }
  // It has left by its own word.
  bool left() const { return usable_ && key_ && view_.left.contains(key_->public_key); }
  // This identity was drawn since another machine has the one before (StoredState::copy_of).
  const std::optional<CopyOf>& copy_of() const { return copy_of_; }
  // It has to be taken in, whatever key its file names: a roster leaves it out, or nobody knows the identity that it
  // was given in place of one that was copied.
  bool must_ask() const { return expelled() || (copy_of_ && usable_ && key_ && !belongs() && !left()); }
  // This node has a key, and belongs to the cluster.
  bool belongs() const { return usable_ && key_ && view_.members.contains(key_->public_key); }
  // The member belongs to the cluster, under its node id.
  bool Knows(const Member& member) const;
  // The records have changed, or are other ones, since TakeChanged.
  bool changed() const { return changed_; }
  bool TakeChanged() { return std::exchange(changed_, false); }
  RollStatus Status(const Membership& members) const;

  // Of what this node signs now.
  RecordHead HeadFor(const Occasion& occasion) const;

  // Begins the records of this cluster, with this node as the founder, and admits the members that are there.
  absl::Status Found(const RollView& view, const RecoveryCode& code, const Occasion& occasion, Actions* out);
  // Admits all members that are there, have a key and do not belong to the cluster yet.
  absl::Status EnrolPresent(const RollView& view, const Occasion& occasion, Actions* out);

  // A record that this node has made or that was shown to it, of this cluster. Returns the ticket under which it
  // becomes durable.
  uint64_t Learn(const RollView& view, const Record& record, Actions* out);
  // Likewise, of several.
  uint64_t Merge(const RollView& view, const RecordSet& records, Actions* out);

  // A roster without `gone`, signed with the recovery code. Nothing changes by it yet.
  absl::StatusOr<Record> MakeRoster(const RecoveryCode& code, const std::set<Fingerprint>& gone, const std::string& why,
                                    const Occasion& occasion) const;
  // It counts from now on, and is sent to all that are present.
  void Proclaim(const RollView& view, const Record& record, Actions* out);

  // This node's word that it belongs to the cluster no more; sent likewise.
  void Leave(const RollView& view, const Occasion& occasion, Actions* out);
  // A member that an operator takes for dead: no boot of it up to `age` is waited for. Nothing if it is no member.
  void Forget(const RollView& view, const NodeId& node, uint64_t age, const Occasion& occasion, Actions* out);
  // Members of the cluster that are present, and have another view.
  std::vector<NodeId> Behind(const Membership& members) const;

  void FillHello(wire::Hello* hello) const;
  void OnHello(const RollView& view, const Member& member, Actions* out);
  // False: the message is none of admission.
  bool OnMessage(const RollView& view, const Incoming& incoming, Actions* out);

 private:
  struct Pieces {
    uint32_t total = 0;
    std::map<uint32_t, std::string> parts;
  };

  bool Enrol(const Membership& members, const Occasion& occasion);
  bool MayPull(MonoTime now, const NodeId& node);
  void Pull(const RollView& view, const PeerAddress& to, Actions* out) const;
  void OnPull(const RollView& view, const Incoming& incoming, Actions* out) const;
  void OnPart(const RollView& view, const Incoming& incoming, Actions* out);
  std::optional<std::vector<uint8_t>> Assemble(const wire::AdmissionPart& part);
  void Take(const RollView& view, const NodeId& from, const std::vector<uint8_t>& bytes, Actions* out);
  bool TakeGenesis(const NodeId& from, const Record& genesis, Actions* out);
  uint64_t Changed(const RollView& view, Actions* out);

  const NodeId self_;
  std::optional<SigningKey> key_;  // absent: it could not be made durable
  const std::optional<CopyOf> copy_of_;
  std::optional<ClusterId> cluster_;
  std::optional<RecordSet> records_;
  bool usable_ = false;  // they are of `cluster_`
  size_t unreadable_ = 0;
  View view_;
  bool changed_ = false;
  std::optional<NodeId> founded_otherwise_;  // has another genesis record: only an operator can mend that
  std::map<NodeId, MonoTime> next_pull_;
  std::map<std::string, Pieces> pieces_;  // by the id of the record
  Allowance verified_;
};

}  // namespace qure::admission
