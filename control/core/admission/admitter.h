// The cluster's side of adoption, at each member. It offers membership to whom the cluster takes (invitations.h), makes
// the admission durable before anything is given, and then gives the records and the keys. What anybody on the LAN can
// make it do is bounded, and a flood delays no node that was named for more than a second.
//
//   stage        event                                          next
//                CANDIDATE that is invited, verified, our turn  kOffered    OFFER and its proof
//   kOffered     the same CANDIDATE                             kOffered    the same again
//   kOffered     ACCEPT, of a member                            kRecords    RECORDS
//   kOffered     ACCEPT, of another                             kAdmitting  PersistAdmission
//   kAdmitting   durable, and it is in the view                 kRecords    RECORDS
//   kRecords     receipts to the end, and there is a clean key  kWelcome    WELCOME until its receipt
//   kWelcome     receipt                                                    Adopted
//   any          kHandshakePatience without progress                        keys are forgotten
//
// Order of checks for a CANDIDATE, the cheap ones first: size and content; invited, or else kUnnamedPerSecond; cookie,
// if there are many; budget of its MAC; budget of signatures, sources in turn; signature. A transcript that was
// verified is remembered.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/core/admission/actions.h"
#include "control/core/admission/budgets.h"
#include "control/core/admission/candidate_list.h"
#include "control/core/admission/handshake.h"
#include "control/core/admission/invitations.h"
#include "control/core/admission/messages.h"
#include "control/core/admission/records.h"
#include "control/core/admission/session_keys.h"
#include "control/core/admission/view.h"
#include "control/core/admission/welcome.h"
#include "proto/bytes.h"
#include "proto/time.h"

namespace qure::admission {

inline constexpr uint64_t kCandidatesWithoutCookie = 100;  // a second; with more, each must show that it receives
inline constexpr int kUnnamedPerSecond = 20;               // candidates that are not invited: looked at
inline constexpr int kSourcePerSecond = 2;                 // signatures for one MAC …
inline constexpr size_t kMaxSources = 512;                 // … of so many, which wait their turn, …
inline constexpr int kSignaturesPerSecond = 200;           // … and of all
inline constexpr int kAcceptSignaturesPerSecond = 100;     // of all handshakes
inline constexpr int kSignatureBurst = 20;
inline constexpr size_t kMaxVerified = 512;    // transcripts
inline constexpr int kOffersPerHandshake = 5;  // a second: the same offer again
inline constexpr int kOffersPerSecond = 50;    // to named ones and members; as many to others
inline constexpr size_t kMaxHandshakes = 64;
inline constexpr size_t kMaxHandshakesOfOne =
    4;  // of an identity: the last ones that were new, so recordings displace none
inline constexpr int kAcceptsPerSecond = 10;  // of one handshake: looked at
inline constexpr Duration kHandshakePatience = Seconds(5);
inline constexpr Duration kGiveFirst = Milliseconds(100);     // RECORDS again after this; WELCOME after twice this, …
inline constexpr Duration kAnswerByRank = Milliseconds(300);  // who is not the master lets others answer first
inline constexpr Duration kClusterInterval = Seconds(10);     // CLUSTER, by the master
inline constexpr int kRefusalsPerSecond = 1;

// What the admitter acts with. Made anew for each call: nothing of it is kept.
struct AdmitterFacts {
  const SigningKey& identity;
  NodeId node{};
  MacAddress mac;
  int rank = 0;  // among those that may answer: 0 is the master, 1 the deputy
  const RecordSet& records;
  const View& view;  // of `records`
  const SessionKeys& keys;
  RecordHead head;  // of what is signed now
  std::string_view cluster_name;
  uint64_t lineage = 0;
  uint32_t era = 0;
  uint16_t port = 0;
  Ipv4Address group;
  std::span<const PullSource> sources;  // at most kMaxPullSources
};

class Admitter {
 public:
  // `draw` makes keys and cookies.
  explicit Admitter(DrawSecret draw) : draw_(draw), cookies_(std::move(draw)) {}

  // What came on channel 3. Bad datagrams are ignored.
  void OnDatagram(MonoTime now, const MacAddress& source, ConstBytes payload, const AdmitterFacts& facts,
                  AdmissionActions* out);
  // PersistAdmission::ticket is durable, and `facts` have the record.
  void OnPersisted(MonoTime now, uint64_t ticket, const AdmitterFacts& facts, AdmissionActions* out);
  void Tick(MonoTime now, const AdmitterFacts& facts, AdmissionActions* out);
  // When Tick has something to do; it may be called at any time.
  MonoTime NextDeadline() const;

  // An operator names the nodes whose fingerprint begins with `digits` (ParseCode), until a time. Listed ones that it
  // fits are returned; if there are several, nothing is expected: more digits are needed. Candidates are prompted.
  std::vector<ListedCandidate> Expect(MonoTime now, const std::string& digits, MonoTime until);

  // An operator takes all that ask, until a time. Candidates are prompted.
  void ExpectAll(MonoTime now, MonoTime until);

  Invitations& invitations() { return invitations_; }
  const Invitations& invitations() const { return invitations_; }
  const CandidateList& listed() const { return list_; }
  size_t handshakes() const { return handshakes_.size(); }
  // Signatures that were checked for others.
  uint64_t checks() const { return checks_; }

 private:
  enum class Stage : uint8_t { kOffered, kAdmitting, kRecords, kWelcome };
  struct Handshake {
    CandidateMessage candidate;
    Invitation invitation;
    Ephemeral ephemeral;
    Digest h2{};
    std::vector<uint8_t> offer;  // the datagram
    std::vector<ProofMessage> proof;
    MonoTime verified;  // its CANDIDATE, for the first time
    Budget offers{kOffersPerHandshake, kOffersPerHandshake};
    Budget accepts{kAcceptsPerSecond, kAcceptsPerSecond};
    Stage stage = Stage::kOffered;
    MonoTime progress;
    std::optional<HandshakeKeys> keys;  // from kAdmitting on
    uint64_t ticket = 0;
    std::optional<RecordSender> records;  // from kRecords on
    std::vector<uint8_t> welcome;         // the datagram, in kWelcome
    MonoTime repeat_at = kNever;
    Duration repeat_after = kGiveFirst;
  };
  using Handshakes = std::map<Digest, Handshake>;  // by h1

  void OnCandidate(MonoTime now, const MacAddress& source, const CandidateMessage& candidate,
                   const AdmitterFacts& facts, AdmissionActions* out);
  void OnAccept(MonoTime now, const MacAddress& source, const AcceptMessage& accept, const AdmitterFacts& facts,
                AdmissionActions* out);
  void OnReceipt(MonoTime now, const ReceiptMessage& receipt, const AdmitterFacts& facts, AdmissionActions* out);

  std::optional<Invitation> InvitationOf(MonoTime now, const CandidateMessage& candidate,
                                         const AdmitterFacts& facts) const;
  bool MayVerify(MonoTime now, Budget* signatures);
  void VerifyCandidate(MonoTime now, const CandidateMessage& candidate, const Digest& h1, const AdmitterFacts& facts,
                       AdmissionActions* out);
  void VerifyWaiting(MonoTime now, const AdmitterFacts& facts, AdmissionActions* out);
  void OnVerified(MonoTime now, const CandidateMessage& candidate, const Digest& h1, const AdmitterFacts& facts,
                  AdmissionActions* out);
  void OnUninvited(MonoTime now, const CandidateMessage& candidate, const Digest& h1, const AdmitterFacts& facts,
                   AdmissionActions* out);
  void Refuse(MonoTime now, const CandidateMessage& candidate, const Digest& h1, RefusedWhy why, const Record* record,
              const AdmitterFacts& facts, AdmissionActions* out);

  void MakeOffer(MonoTime now, const CandidateMessage& candidate, const Digest& h1, const Invitation& invitation,
                 const AdmitterFacts& facts, AdmissionActions* out);
  static void SendOffer(MonoTime now, Handshake* handshake, AdmissionActions* out);
  const std::vector<uint8_t>* ProofNow(const AdmitterFacts& facts, AdmissionActions* out);
  bool MakeRoom(const PublicKey& identity, MonoTime verified, bool first);
  bool IsAdmitting(const PublicKey& identity) const;
  void Agreed(MonoTime now, const AcceptMessage& accept, const AdmitterFacts& facts, Handshake* handshake,
              AdmissionActions* out);
  void SendRecords(MonoTime now, const AdmitterFacts& facts, Handshake* handshake, AdmissionActions* out);
  static void SendParts(const Handshake& handshake, RecordSender::Range range, AdmissionActions* out);
  static void Give(MonoTime now, const AdmitterFacts& facts, Handshake* handshake, AdmissionActions* out);
  static void Repeat(MonoTime now, const AdmitterFacts& facts, Handshake* handshake, AdmissionActions* out);
  void AnnounceCluster(const AdmitterFacts& facts, AdmissionActions* out) const;

  DrawSecret draw_;
  Invitations invitations_;
  CandidateList list_;

  RateMeter rate_{kCandidatesWithoutCookie};
  Budget unnamed_{kUnnamedPerSecond, kUnnamedPerSecond};
  Cookies cookies_;
  BudgetBySource sources_{kMaxSources, kSourcePerSecond, kSourcePerSecond};
  FairQueue<CandidateMessage> waiting_{kMaxSources};
  Budget signatures_{kSignaturesPerSecond, kSignatureBurst};
  Budget accept_signatures_{kAcceptSignaturesPerSecond, kSignatureBurst};  // candidates take nothing from these
  std::map<Digest, MonoTime> verified_;                                    // h1, and when
  uint64_t checks_ = 0;

  Budget offers_first_{kOffersPerSecond, kOffersPerSecond};  // to named ones and members
  Budget offers_others_{kOffersPerSecond, kOffersPerSecond};
  Budget refusals_{kRefusalsPerSecond, kRefusalsPerSecond};
  Handshakes handshakes_;
  uint64_t next_ticket_ = 1;
  std::optional<Digest> proof_view_;           // View::digest that `proof_` is of
  std::optional<std::vector<uint8_t>> proof_;  // none: this node is no member
  MonoTime announce_at_ = kLongAgo;
};

}  // namespace qure::admission
