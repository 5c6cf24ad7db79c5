// The side of a node that wants to belong to a cluster: without keys, or a member that asks for them anew. It makes
// itself known, chooses one offer, and takes nothing that it has not checked: the offerer's chain to the genesis, each
// record, its own admission, the rosters that the keys are for. What it becomes is durable before it says so.
//
//   state      event                                        next       what is done
//   kBare      timer                                        kBare      CANDIDATE; a new ephemeral key each minute
//   kBare      COOKIE                                       kBare      CANDIDATE with it, often for a moment
//   kBare      OFFER to it, signed, of the wanted cluster   kChoose    at most kMaxOffers are kept
//   kChoose    the wanted cluster's proof holds; or, after  kAccepted  ACCEPT until RECORDS come
//              kChooseWait, one cluster is left. A member
//              waits as long for one that it has not heard
//   kChoose    several are left, not one alone named it     kAmbiguous shown; after kAmbiguousWait, or Join: kBare
//   kAccepted  RECORDS                                      kAccepted  checked and collected, RECEIPT
//   kAccepted  WELCOME that holds                           kKeyed     PersistMembership, then RECEIPT
//   kAccepted  no progress, or anything that does not hold  kBare      keys are forgotten, and it is logged why
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "control/core/admission/actions.h"
#include "control/core/admission/budgets.h"
#include "control/core/admission/codes.h"
#include "control/core/admission/handshake.h"
#include "control/core/admission/messages.h"
#include "control/core/admission/proof.h"
#include "control/core/admission/records.h"
#include "control/core/admission/refusal.h"
#include "control/core/admission/view.h"
#include "control/core/admission/welcome.h"
#include "control/core/cluster/identity.h"
#include "proto/bytes.h"
#include "proto/time.h"

namespace qure::admission {

inline constexpr Duration kCandidateInterval = Seconds(1);        // or longer, so that many are not too many …
inline constexpr Duration kCandidatePerHeard = Milliseconds(20);  // … by this for each that is heard, ± 20 %
inline constexpr size_t kMaxHeardCandidates = 100;                // more do not make it longer
inline constexpr Duration kHeardCandidateLife = Seconds(10);
inline constexpr Duration kCandidateFast = Milliseconds(200);  // after a COOKIE, …
inline constexpr Duration kCandidateFastFor = Seconds(2);      // … for so long
inline constexpr size_t kMaxCookies = 4;                       // of so many members; they take turns
inline constexpr Duration kPromptInterval = Seconds(1);        // CLUSTER is answered at most so often, …
inline constexpr Duration kPromptSpread = Milliseconds(100);   // … within this
inline constexpr Duration kEphemeralLife = Seconds(60);        // then a new one; the one before lives on as long
inline constexpr size_t kMaxOffers = 4;
inline constexpr int kOfferChecksPerSecond = 20;            // signatures of offers and proofs
inline constexpr int kRefusalChecksPerSecond = 8;           // signatures of refusals
inline constexpr Duration kChooseWait = Milliseconds(250);  // after the first offer; a wanted one is not waited for
inline constexpr Duration kChooseLongest = Seconds(3);      // no proof by then: all are forgotten
inline constexpr Duration kAskProofInterval = Milliseconds(100);
inline constexpr Duration kAmbiguousWait = Seconds(10);
inline constexpr Duration kAcceptFirst = Milliseconds(100);  // ACCEPT again after this, twice this, …
inline constexpr Duration kAcceptPatience = Seconds(3);      // without progress: forgotten
inline constexpr Duration kAcceptLongest = Seconds(30);      // however slowly the records come
inline constexpr Duration kKeyedMemory = Seconds(5);         // a repeated WELCOME is answered for so long

struct CandidateConfig {
  SigningKey identity;
  NodeId node{};
  BootId boot{};
  MacAddress mac;
  std::string revision;
  std::string name;
  std::optional<std::string> cluster_name;  // of the cluster that it is configured for
  std::optional<Fingerprint> want;          // the only cluster that it accepts
  std::optional<Token> token;               // likewise, and it is admitted by it
  std::optional<CopyOf> copy;
  std::optional<RecordSet> known;  // of the cluster `want`: who was expelled by it does not take this node in
  bool renews = false;             // a member that asks for keys anew; `known` is there
  std::set<PublicKey> heard;       // whom it hears under the keys that it has: others are rather asked
  std::optional<MacAddress> ask;   // it asks this node alone; otherwise all that hear it
};

enum class CandidateState : uint8_t { kBare, kChoose, kAmbiguous, kAccepted, kKeyed };
std::string_view NameOf(CandidateState state);

class Candidate {
 public:
  // `random` spreads timers, and outlives this. `draw` makes keys.
  Candidate(CandidateConfig config, DrawSecret draw, absl::BitGenRef random, MonoTime now);

  // What came on channel 3. Bad datagrams are ignored.
  void OnDatagram(MonoTime now, const MacAddress& source, ConstBytes payload, AdmissionActions* out);
  // PersistMembership::ticket is durable.
  void OnPersisted(MonoTime now, uint64_t ticket, AdmissionActions* out);
  void Tick(MonoTime now, AdmissionActions* out);
  // When Tick has something to do; it may be called at any time.
  MonoTime NextDeadline() const;

  // An operator chose this cluster: no other is accepted from now on. Nothing once it is keyed.
  void Join(MonoTime now, const Fingerprint& cluster);

  CandidateState state() const { return state_; }
  // Signatures of offers and proofs that were checked.
  uint64_t checks() const { return checks_; }

 private:
  struct Announced {  // one ephemeral key, and what makes it known
    Ephemeral ephemeral;
    CandidateMessage message;
    Digest h1{};
    MonoTime made;
  };
  // For a member that asks for keys; the greatest is accepted.
  enum class OfferRank : uint8_t { kHeard, kNotHeard, kNewRoster };
  struct Offer {
    OfferMessage message;
    Digest h2{};
    Ephemeral ephemeral;  // ours, that it answers to
    ProofParts proof;
    std::optional<RecordSet> judged;  // the proof holds; with what was known before
    OfferRank rank = OfferRank::kNotHeard;
  };
  struct Acceptance {
    Offer offer;
    HandshakeKeys keys;
    RecordCollector records;
    std::vector<uint8_t> accept;  // the datagram
    MonoTime repeat_at;           // kNever: it was answered
    Duration repeat_after;
    MonoTime progress;
    MonoTime since;
    uint64_t ticket = 0;  // of what is being made durable; 0: nothing yet
  };

  bool IsPinned() const { return config_.want || config_.token; }
  bool Wants(const OfferMessage& offer) const;
  void Announce(MonoTime now);
  void SendCandidate(MonoTime now, AdmissionActions* out);
  Duration Interval();

  void OnMessage(MonoTime now, const MacAddress& source, const CandidateMessage& message, AdmissionActions* out);
  void OnMessage(MonoTime now, const MacAddress& source, const CookieMessage& message, AdmissionActions* out);
  void OnMessage(MonoTime now, const MacAddress& source, const OfferMessage& message, AdmissionActions* out);
  void OnMessage(MonoTime now, const MacAddress& source, const ProofMessage& message, AdmissionActions* out);
  void OnMessage(MonoTime now, const MacAddress& source, const AcceptMessage& message, AdmissionActions* out);
  void OnMessage(MonoTime now, const MacAddress& source, const RecordsMessage& message, AdmissionActions* out);
  void OnMessage(MonoTime now, const MacAddress& source, const WelcomeMessage& message, AdmissionActions* out);
  void OnMessage(MonoTime now, const MacAddress& source, const ReceiptMessage& message, AdmissionActions* out);
  void OnMessage(MonoTime now, const MacAddress& source, const RefusedMessage& message, AdmissionActions* out);
  void OnMessage(MonoTime now, const MacAddress& source, const ClusterMessage& message, AdmissionActions* out);

  void Keep(Offer offer);
  OfferRank RankOf(const RecordSet& proof, const PublicKey& offerer) const;
  void JudgeProofs(MonoTime now, AdmissionActions* out);
  void AskForParts(AdmissionActions* out);
  void Choose(MonoTime now, AdmissionActions* out);
  void Accept(MonoTime now, Offer offer, AdmissionActions* out);
  // Empty: it holds, and is being made durable.
  std::string TakeWelcome(const Welcome& welcome, AdmissionActions* out);
  void SendReceipt(ReceiptOf what, AdmissionActions* out);
  void TickAccepted(MonoTime now, AdmissionActions* out);
  void GoBare(MonoTime now);
  void Fail(MonoTime now, std::string_view why, AdmissionActions* out);

  CandidateConfig config_;
  DrawSecret draw_;
  absl::BitGenRef random_;
  CandidateState state_ = CandidateState::kBare;

  std::vector<Announced> announced_;  // the newest last; at most two
  MonoTime next_candidate_;
  MonoTime fast_until_ = kLongAgo;
  MonoTime sent_ = kLongAgo;      // the last CANDIDATE
  MonoTime prompted_ = kLongAgo;  // by the last CLUSTER that was answered
  std::map<MacAddress, Cookie> cookies_;
  MacAddress last_cookie_;
  std::map<PublicKey, MonoTime> heard_;

  Budget checks_budget_{kOfferChecksPerSecond, kOfferChecksPerSecond};
  uint64_t checks_ = 0;
  std::vector<Offer> offers_;
  uint64_t offers_seen_ = 0;  // since it is in kChoose
  MonoTime choose_since_;
  MonoTime choose_at_ = kNever;  // in kAmbiguous: when that ends
  MonoTime ask_at_ = kNever;
  std::optional<Acceptance> acceptance_;
  uint64_t next_ticket_ = 1;
  Budget refusals_budget_{kRefusalChecksPerSecond, kRefusalChecksPerSecond};
  RefusalParts refusal_;
};

}  // namespace qure::admission
