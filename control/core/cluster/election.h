// Who is master: leases followed and given, takeover, election, handover. A pure state machine; docs/protocol.md tells
// the whole story. Who transmits from the service MAC is decided here and in dataplane/lease/heartbeater.h, nowhere
// else.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/core/action.h"
#include "control/core/cluster/membership.h"
#include "control/core/cluster/transport.h"
#include "control/core/stored.h"
#include "proto/cluster/heartbeat_plan.h"
#include "proto/cluster/node.h"
#include "proto/event.h"
#include "proto/time.h"

namespace qure {

enum class Role : uint8_t {
  kIdle,       // no master known, and none is being made: booting, or waiting for its turn
  kMember,     // follows a master; its deputy, if the master says so
  kCandidate,  // asks whether anyone is master; claims if nobody answers
  kMaster,
};

enum class MasterPhase : uint8_t {
  kSolo,       // no deputy: nobody acts on our silence before the others' second
  kOffering,   // solo, heartbeats are offered to a deputy to be
  kLeased,     // a deputy acknowledges
  kLost,       // it does not any more: the gate has shut by itself
  kRejoining,  // we stood still: silent until we know that nobody took over
  kPreparing,  // handover: asking the successor whether it is ready
};

// Why a node became master, and the label of the takeover metrics.
enum class Cause : uint8_t {
  kFirst,     // of its era
  kSilence,   // deputy: heartbeats ended
  kElected,   // master and deputy gone
  kHandover,  // the master yielded
  kLapse,     // master: the deputy ended; goes on under a new term
  kRejoin,    // was master, lost track, found nobody
};
inline constexpr size_t kCauseCount = 6;
std::string_view NameOf(Role role);
std::string_view NameOf(MasterPhase phase);
std::string_view NameOf(Cause cause);

// What election knows of this node and its surroundings; renewed by the Controller before each call.
struct ElectionInput {
  Rank rank;
  uint32_t era = 0;
  bool living = false;         // has an era
  bool eligible = false;       // may become master: not in maintenance, no clone about, something to serve
  bool alone = false;          // no key: there are no other nodes
  bool needs_gateway = false;  // a gateway is configured: only who reaches it may claim
  bool preempt = false;
  std::optional<NodeId> informed;  // the deputy that knows of all flows that a master must know
};

struct TakeoverRecord {
  Term term;
  Cause cause = Cause::kFirst;
  MonoTime at;
  Duration took;  // from the first sign that a master is missing to the claim
};

// What election wants said; the Controller puts it into words.
struct Outgoing {
  enum class What : uint8_t {
    kHello,     // who we are, whom we follow
    kQuery,     // is anyone master?
    kClaim,     // to all, before the first frame from the service MAC
    kYield,     // to all: the gate is shut, `node` is the successor
    kPrepare,   // to `node`
    kPrepared,  // to `node`
    kAskLan,    // who has the service addresses, is the gateway there? Frames from the node MAC
    kSuspect,   // not said but done: query `node` at once (Membership::Suspect)
  };
  What what = What::kHello;
  std::optional<NodeId> node;  // kHello, kQuery: none for all
  Term term;
};

class Election {
 public:
  // `members` outlives the election.
  Election(const NodeId& self, const StoredEpochs& stored, const Membership* members);

  // `hello` is the one within the message, if it has one. The sender is a active member.
  void OnMessage(MonoTime now, const ElectionInput& input, const Incoming& incoming, const wire::Hello* hello,
                 Actions* out);
  // kAddressUsed only when a node of this cluster has answered: a foreign host is the claims' affair.
  void OnEvent(MonoTime now, const ElectionInput& input, const Event& event, Actions* out);
  void OnMemberChange(MonoTime now, const ElectionInput& input, const MemberChange& change, Actions* out);
  // Our thread was held: what waits to be heard is old, and a later word may follow it.
  void OnHeld(MonoTime now, Actions* out);
  void OnEpochsStored(const StoredEpochs& epochs, bool ok);
  // The era is new to us. `founded`: by this node, which leads it.
  void OnEra(MonoTime now, const ElectionInput& input, bool founded, Actions* out);
  void Tick(MonoTime now, const ElectionInput& input, Actions* out);
  MonoTime deadline() const;

  // Hands the mastership over: to `successor`, or to the deputy, or to the best. An error text if it cannot be.
  std::string HandOver(MonoTime now, const ElectionInput& input, std::optional<NodeId> successor, Actions* out);
  // This node ends: it neither leads nor follows any more.
  void Resign(Actions* out);

  // What has come of it, for the Controller to carry out.
  std::vector<Outgoing> TakeOutgoing() { return std::exchange(outgoing_, {}); }
  std::optional<StoredEpochs> TakeReservation() { return std::exchange(reservation_, std::nullopt); }
  bool gate_open() const { return gate_open_; }
  uint64_t opening() const { return opening_; }            // the gate is opened anew whenever this has grown
  uint64_t stalls_known() const { return stalls_known_; }  // at that opening
  HeartbeatRole heartbeat_role() const { return heartbeat_role_; }
  std::optional<NodeId> heartbeat_peer() const;

  Role role() const { return role_; }
  MasterPhase phase() const;
  bool handing_over() const { return handover_ends_ != kNever; }
  Term term() const { return master_ ? master_->term : Term{}; }  // of the master, us or another
  Term highest() const { return highest_; }
  std::optional<NodeId> master() const { return master_ ? std::optional(master_->node) : std::nullopt; }
  std::optional<NodeId> deputy() const { return deputy_; }
  bool warm() const { return warm_; }  // this master's predecessor held the addresses until just now
  const std::array<uint64_t, kCauseCount>& takeovers() const { return takeovers_; }
  const std::optional<TakeoverRecord>& last_takeover() const { return last_takeover_; }

 private:
  struct Master {
    NodeId node{};
    Term term;
    MonoTime named;  // when last heard of, from itself or from another
  };
  struct Handover {
    NodeId successor{};
    MonoTime until;      // for the next step
    bool asked = false;  // Prepare was sent
  };

  void OnHello(MonoTime now, const ElectionInput& input, const NodeId& from, const wire::Hello& hello, Actions* out);
  void OnRival(MonoTime now, const NodeId& from, const NodeId& master, const Term& term, Actions* out);
  void OnQuery(MonoTime now, const ElectionInput& input, const NodeId& from);
  void OnYield(MonoTime now, const ElectionInput& input, const NodeId& from, const wire::Yield& yield, Actions* out);
  void OnPrepared(MonoTime now, const NodeId& from, const wire::Prepared& prepared, Actions* out);
  void OnHeartbeater(MonoTime now, const ElectionInput& input, const Event& event, Actions* out);
  void OnStalled(MonoTime now, const Event& event, Actions* out);
  void OnLapsed(MonoTime now, const ElectionInput& input, Actions* out);
  void OnDeputyReady(MonoTime now, Actions* out);
  void OnMasterSilent(MonoTime now, const ElectionInput& input, const Event& event, Actions* out);
  void OnWanted(MonoTime now);

  void Follow(MonoTime now, const NodeId& node, const Term& term, Actions* out);
  void LoseMaster(MonoTime now, const ElectionInput& input);
  void StepDown(Actions* out);
  void BeginCandidate(MonoTime now);
  void BeginRejoin(MonoTime now);
  void Ask(MonoTime now);
  void BecomeMaster(MonoTime now, const ElectionInput& input, Cause cause, Actions* out);
  void GoSolo(uint64_t stalls_known);
  bool ReserveFor(const ElectionInput& input, uint64_t epoch);
  uint64_t NextEpoch(uint32_t era) const;
  bool GatewayAnswers(const ElectionInput& input, MonoTime since) const;
  bool HeardLongAgo(MonoTime now, const ElectionInput& input) const;

  void TickCandidate(MonoTime now, const ElectionInput& input, Actions* out);
  void TickMaster(MonoTime now, const ElectionInput& input, Actions* out);
  void Prepare(MonoTime now, const ElectionInput& input, Actions* out);
  void TickHandover(MonoTime now, Actions* out);
  void ChooseDeputy(MonoTime now, const ElectionInput& input);
  void Offer(MonoTime now, const NodeId& node);
  void ReleaseDeputy(MonoTime now);
  std::optional<NodeId> BestFollower(MonoTime now, const ElectionInput& input) const;
  bool CanLead(const Member& member, const ElectionInput& input) const;
  bool FollowsUs(const Member& member) const;
  int BetterRanked(const ElectionInput& input) const;
  void Say(Outgoing::What what, std::optional<NodeId> node = std::nullopt);

  const NodeId self_;
  const Membership* const members_;

  Role role_ = Role::kIdle;
  std::optional<Master> master_;
  std::optional<NodeId> deputy_;
  Term highest_;                             // ever heard of
  StoredEpochs used_;                        // at boot: epochs below may have been used by this node
  StoredEpochs reserved_;                    // epochs below may be used without asking the store
  std::optional<StoredEpochs> reservation_;  // to be made durable
  bool reserving_ = false;
  bool store_fails_ = false;  // the last reservation could not be made durable
  bool warm_ = false;
  bool had_master_ = false;  // in this era

  // No master: waiting for our turn, then asking.
  MonoTime elect_at_ = kNever;
  MonoTime listen_until_ = kNever;  // kCandidate, kRejoining
  MonoTime next_ask_ = kNever;
  MonoTime asking_since_;
  MonoTime missing_since_;        // the first sign that a master is missing
  MonoTime suspect_at_ = kNever;  // deputy: kMasterSuspect
  MonoTime gateway_seen_ = kLongAgo;
  MonoTime holder_seen_ = kLongAgo;  // a node of this cluster answered for a service address
  int wanted_ = 0;                   // unanswered requests since wanted_since_
  MonoTime wanted_since_ = kLongAgo;

  // Master.
  MasterPhase phase_ = MasterPhase::kSolo;
  bool gate_open_ = false;
  uint64_t opening_ = 0;
  uint64_t stalls_seen_ = 0;
  uint64_t stalls_known_ = 0;
  MonoTime last_stall_ = kLongAgo;
  MonoTime distrust_until_ = kLongAgo;  // after our thread was held: nothing heard is acted on at once
  MonoTime lost_at_;
  MonoTime offer_until_ = kNever;
  bool unbinding_ = false;  // offers are sent to release the deputy; the lease goes on meanwhile
  HeartbeatRole heartbeat_role_ = HeartbeatRole::kSilent;
  std::map<NodeId, MonoTime> cooldown_;  // lapsed deputies, until when
  std::optional<Handover> handover_;
  std::optional<NodeId> yielded_to_;
  Term yielded_term_;
  int yields_left_ = 0;
  MonoTime next_yield_ = kNever;
  MonoTime handover_ends_ = kNever;
  MonoTime last_hello_ = kLongAgo;  // said because of a rival

  std::array<uint64_t, kCauseCount> takeovers_{};
  std::optional<TakeoverRecord> last_takeover_;
  std::vector<Outgoing> outgoing_;
};

}  // namespace qure
