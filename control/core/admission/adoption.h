// How nodes without a key join: a member of a cluster with records takes them in (Admitter), and a node that has no key
// but may join looks for a cluster (Candidate). What this node is follows from its keys, records and configuration. The
// key that is given is the one that this node seals with; a SESSION record says for which rosters.
//
// A node that was taken in has keys and records in its store, and starts again as a new boot: it is a member then like
// any other.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/status/statusor.h"
#include "control/core/action.h"
#include "control/core/admission/actions.h"
#include "control/core/admission/admitter.h"
#include "control/core/admission/candidate.h"
#include "control/core/admission/candidate_list.h"
#include "control/core/admission/cluster_list.h"
#include "control/core/admission/key_age.h"
#include "control/core/admission/key_change.h"
#include "control/core/admission/roll.h"
#include "control/core/admission/session_keys.h"
#include "control/core/cluster/transport.h"
#include "control/core/command.h"
#include "control/core/config.h"
#include "control/core/node_facts.h"
#include "control/core/persist_ledger.h"
#include "control/core/stored.h"
#include "proto/cluster/datagram.h"
#include "proto/net/address.h"
#include "proto/time.h"

namespace qure::admission {

inline constexpr Duration kExpected = Seconds(3600);  // a node that an operator has named is waited for
inline constexpr Duration kAdmitAll = Seconds(600);   // all that ask, unless the operator says otherwise
inline constexpr Duration kLongestAdmitAll = Seconds(24 * 3600);
inline constexpr Duration kTokenLife = Seconds(24 * 3600);          // unless the operator says otherwise, …
inline constexpr Duration kLongestToken = Seconds(30 * 24 * 3600);  // … at most
inline constexpr Duration kRenewAfter = Milliseconds(150);          // no key counts: the maker of one may ask first
inline constexpr Duration kRenewalPatience = Seconds(5);
inline constexpr Duration kRenewalPause = Seconds(1);  // between two
inline constexpr Duration kAskRenewAgain = Milliseconds(150);
// A roster that was made so long ago, in the cluster's uptime, was missed, and with it who may have spoken meanwhile.
inline constexpr Duration kRosterMissed = Seconds(10);
inline constexpr Duration kJoinedWait = Milliseconds(300);  // before the new boot: the cluster hears of it

// What a step works with.
struct AdoptionView {
  MonoTime now;
  const NodeFacts* facts = nullptr;
  MacAddress mac;       // this node's own
  Ipv4Address address;  // likewise
  const ClusterConfig* config = nullptr;
  const Keyring* keyring = nullptr;
  Ipv4Address group;
  Occasion occasion;
  uint64_t lineage = 0;
  uint32_t era = 0;
  int rank = 0;  // AdmitterFacts::rank
  RollView roll;
};

// The ring with these as well. It goes on using the key that it used, or if it has none, the greatest of these.
Keyring With(Keyring ring, const std::vector<SessionGrant>& grants);
// Why a node that is none of a cluster with records does not do something.
absl::Status NothingToGive();

// What operators are shown.
struct AdoptionStatus {
  std::vector<ListedCandidate> candidates;         // heard by this node, by identity
  std::optional<CandidateState> joining;           // this node looks for a cluster
  std::vector<ShowAmbiguous::Offering> ambiguous;  // it does not choose between these
  std::map<Fingerprint, HeardCluster> clusters;    // heard by this node
  MonoTime all_until = kLongAgo;                   // all that ask are taken in
};

class Adoption {
 public:
  // `roll` and `random` outlive this; `random` is one that nobody can predict.
  Adoption(Roll* roll, absl::BitGenRef random) : roll_(roll), random_(random), admitter_(Draw()) {}

  // Keys, records or configuration are other ones. Before all else.
  void Configure(const AdoptionView& view, Actions* out);
  // This node waits for a cluster to take it in: it does not serve alone meanwhile.
  bool seeks() const { return seeks_.has_value(); }

  // False: it is none of an adoption.
  bool OnDatagram(const AdoptionView& view, const Datagram& datagram, Actions* out);
  void OnPersisted(const AdoptionView& view, uint64_t ticket, bool ok, Actions* out);
  void Tick(const AdoptionView& view, Actions* out);
  MonoTime deadline() const;

  // Takes in the node whose code or fingerprint an operator has typed, now or within kExpected.
  absl::Status Admit(const AdoptionView& view, const std::string& typed, Actions* out);

  // Takes in all that ask, for so long.
  absl::Status AdmitAll(const AdoptionView& view, Duration lifetime, Actions* out);

  // Opens a token for so many nodes, for so long in the cluster's uptime. A node that carries it is taken in without a
  // command.
  absl::Status Open(const AdoptionView& view, const OpenToken& open, Actions* out);
  // Closes one that is open; who was taken in by it stays.
  absl::Status Close(const AdoptionView& view, const TokenId& token, Actions* out);

  // A new session key for all: they are asked to come for it.
  absl::Status Rotate(const AdoptionView& view, Actions* out);
  // Whom the roster leaves out belongs to the cluster no more, and a session key is made that it does not get.
  absl::Status Revoke(const AdoptionView& view, const Record& roster, Actions* out);
  // A member says that it has a key which this node lacks. False: it is another message.
  bool OnMessage(const AdoptionView& view, const Incoming& incoming);
  // An envelope of this node was not opened, since its key is not known here.
  void OnUnknownKey(const AdoptionView& view, const NodeId& sender);
  // At the end of a step: asks others to come, and uses a key that all have.
  void StepKeys(const AdoptionView& view, Actions* out);
  bool changes_keyring() const { return ring_.has_value(); }
  // It hears members under a key that it does not have, and asks for it for the first time in this boot: perhaps it
  // belongs to the cluster no more, so what it does not hear of them says nothing yet. Ends within kRenewalPatience.
  bool asks_first() const { return hears_members() && renewal_->state() != CandidateState::kKeyed; }
  // Likewise, and until it has had the time to hear them under the key that it got. There is a cluster.
  bool hears_members() const { return first_renewal_ && renewal_; }
  // This node's thread was held: perhaps it leads no more.
  void OnHeld(MonoTime now) { look_at_age_ = now + kLookAtKeyAge; }
  // The keyring, if it is to be another one from now on.
  std::optional<Keyring> TakeKeyring() { return std::exchange(ring_, std::nullopt); }
  // Of the greatest key; 0: it has none with a record.
  uint32_t newest_key() const { return keys_.seals() == nullptr ? 0 : keys_.seals()->session().key_id; }

  // Begins a cluster of this name at a node that seeks one: it draws a key, and starts again as a member, alone at
  // first. `first`: what it serves until the cluster has a configuration.
  absl::Status Begin(const AdoptionView& view, const std::string& name, const std::string& first, Actions* out);

  AdoptionStatus Status() const;

 private:
  // For what is being made durable.
  enum class Waits : uint8_t { kBegun, kExpelled, kCandidate, kRenewal, kRejoin, kAdmitter };

  DrawSecret Draw() const;
  const Keyring& RingOf(const AdoptionView& view) const { return ring_ ? *ring_ : *view.keyring; }
  std::optional<JoinConfig> Seeks(const AdoptionView& view) const;
  void OnNotPersisted(const AdoptionView& view, Waits waits, Actions* out);
  AdmitterFacts Facts(const AdoptionView& view) const;
  SessionKeys CleanOf(const Keyring& ring, MonoTime now) const;
  void TakeGrants(const AdoptionView& view, const std::vector<SessionGrant>& grants);
  void TakeKeys(const AdoptionView& view);
  void TakeInvitations(const AdoptionView& view);
  void RecordKey(const AdoptionView& view);
  absl::Status MakeKey(const AdoptionView& view);
  void RotateIfDue(const AdoptionView& view, Actions* out);
  bool WasAway(const AdoptionView& view, const RecordSet& records) const;
  void LeaveIfExpelled(const AdoptionView& view, Actions* out);
  void Renew(const AdoptionView& view, const std::optional<MacAddress>& whom);
  void TickKeys(const AdoptionView& view, Actions* out);
  void AskOthers(const AdoptionView& view, Actions* out);
  bool AllHave(const AdoptionView& view, uint32_t key) const;
  absl::Status Sign(const AdoptionView& view, const Invite& invite, Actions* out);
  void Execute(const AdoptionView& view, const AdmissionActions& actions, Actions* out);
  static void Do(const AdoptionView& view, const SendPayload& action, Actions* out);
  void Do(const AdoptionView& view, const PersistAdmission& action, Actions* out);
  void Do(const AdoptionView& view, const LearnAdmission& action, Actions* out);
  static void Do(const AdoptionView& view, const Adopted& action, Actions* out);
  void Do(const AdoptionView& view, const PersistMembership& action, Actions* out);
  void Do(const AdoptionView& view, const LearnRecords& action, Actions* out);
  void Do(const AdoptionView& view, const ShowAmbiguous& action, Actions* out);
  void Do(const AdoptionView& view, const ShowRefused& action, Actions* out);
  static void Do(const AdoptionView& view, const Log& action, Actions* out);

  Roll* roll_;
  absl::BitGenRef random_;
  bool admits_ = false;  // this node belongs to the cluster, and has a key to give
  SessionKeys keys_;     // of the keyring, those that have a record
  KeyChange change_;
  uint32_t generation_ = 0;                // of the rosters that the expectations are of
  std::optional<Keyring> ring_;            // TakeKeyring
  MonoTime make_key_at_ = kNever;          // no key counts, and none has come by then
  MonoTime ask_at_ = kNever;               // the others, to come for the key that this node has made
  std::optional<Candidate> renewal_;       // this node, a member, comes for a key …
  std::optional<MacAddress> renews_from_;  // … to the node that said it has one; absent: to any
  MonoTime renew_at_ = kNever;             // it begins to
  MonoTime renewal_ends_ = kNever;         // if it gets none
  bool first_renewal_ = true;
  MonoTime next_renewal_ = kLongAgo;  // not before
  bool expelled_ = false;             // and it is being made durable
  MonoTime look_at_age_ = kLongAgo;   // of the key that is used, if this node leads for so long
  Admitter admitter_;
  ClusterList clusters_;
  std::optional<JoinConfig> seeks_;
  std::optional<Candidate> candidate_;  // of a node that seeks, if it can
  std::vector<ShowAmbiguous::Offering> ambiguous_;
  std::map<uint64_t, std::pair<Waits, uint64_t>> tickets_;  // of the ledger: who waits, and its own ticket
  MonoTime new_boot_ = kNever;                              // what was given is durable: when to start again
};

}  // namespace qure::admission
