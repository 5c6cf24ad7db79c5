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
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/status/statusor.h"
#include "control/core/action.h"
#include "control/core/admission/actions.h"
#include "control/core/admission/admitter.h"
#include "control/core/admission/candidate.h"
#include "control/core/admission/candidate_list.h"
#include "control/core/admission/roll.h"
#include "control/core/admission/session_keys.h"
#include "control/core/config.h"
#include "control/core/node_facts.h"
#include "control/core/persist_ledger.h"
#include "control/core/stored.h"
#include "proto/cluster/datagram.h"
#include "proto/net/address.h"
#include "proto/time.h"

namespace qure::admission {

inline constexpr Duration kExpected = Seconds(3600);        // a node that an operator has named is waited for
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

// What operators are shown.
struct AdoptionStatus {
  std::vector<ListedCandidate> candidates;         // heard by this node, by identity
  std::optional<CandidateState> joining;           // this node looks for a cluster
  std::vector<ShowAmbiguous::Offering> ambiguous;  // it does not choose between these
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

  // Begins a cluster of this name at a node that seeks one: it draws a key, and starts again as a member, alone at
  // first. `first`: what it serves until the cluster has a configuration.
  absl::Status Begin(const AdoptionView& view, const std::string& name, const std::string& first, Actions* out);

  // The same keys, that in use with a SESSION record of this node if it has none that counts. Nothing to do: none.
  std::optional<Keyring> Recorded(const AdoptionView& view) const;

  AdoptionStatus Status() const;

 private:
  DrawSecret Draw() const;
  AdmitterFacts Facts(const AdoptionView& view) const;
  void TakeKeys(const AdoptionView& view);
  void Execute(const AdoptionView& view, const AdmissionActions& actions, Actions* out);
  static void Do(const AdoptionView& view, const SendPayload& action, Actions* out);
  void Do(const AdoptionView& view, const PersistAdmission& action, Actions* out);
  void Do(const AdoptionView& view, const LearnAdmission& action, Actions* out);
  static void Do(const AdoptionView& view, const Adopted& action, Actions* out);
  void Do(const AdoptionView& view, const PersistMembership& action, Actions* out);
  void Do(const AdoptionView& view, const ShowAmbiguous& action, Actions* out);
  static void Do(const AdoptionView& view, const ShowRefused& action, Actions* out);
  static void Do(const AdoptionView& view, const Log& action, Actions* out);

  Roll* roll_;
  absl::BitGenRef random_;
  bool admits_ = false;  // this node belongs to the cluster, and has a key to give
  SessionKeys keys_;     // of the keyring, those that have a record
  Admitter admitter_;
  std::optional<JoinConfig> seeks_;
  std::optional<Candidate> candidate_;  // of a node that seeks, if it can
  std::vector<ShowAmbiguous::Offering> ambiguous_;
  std::map<uint64_t, uint64_t> tickets_;  // of the ledger to those of Admitter or Candidate
  MonoTime new_boot_ = kNever;            // what was given is durable: when to start again
};

}  // namespace qure::admission
