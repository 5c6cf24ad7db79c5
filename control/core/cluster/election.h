// Who is master: leases followed and given, takeover, election, handover. A pure state machine; docs/protocol.md has
// the messages. Who transmits from the service MAC is decided here and in dataplane/lease/heartbeater.h, nowhere else.
//
// A node that has booted waits for a master to follow. If none is heard of, it waits its turn by rank, then asks
// (QUERY) and listens as a candidate. If no master answers, and the gateway does, it claims: CLAIM to all, then the
// gate opens. A master without a deputy is solo: no node acts on its silence sooner than an election takes. It offers
// the lease to its best follower; once that one acknowledges, the gate is open only while the lease is renewed, and
// the deputy may take over as soon as heartbeats end. When the deputy ends, the master goes on under a new term, so
// that the deputy's late takeover cannot have the same one. A node that was held, or has lost its lease without
// knowing why, listens before it sends again. Each mastership has its own term; the higher term wins wherever two
// masters meet.
//
// Role       Phase      Event                               Next                 Action
// ---------- ---------- ----------------------------------- -------------------- --------------------------------------
// idle                  HELLO names a master of this era    member               follow it, by heartbeats too
// idle                  its turn (elect_at_)                candidate            QUERY; ask the LAN
// idle                  term epochs not durable yet         idle                 reserve them
// candidate             HELLO names a master of this era    member               follow it
// candidate             QUERY of a better ranked node       idle                 leave it the turn
// candidate             a node answers for the address      candidate            listen again: another one serves
// (Veto) candidate             stall, or control thread held       candidate            listen again candidate
// listened, and the gateway answers   master solo          CLAIM; open; cause first or elected member HELLO of a higher
// term              member               follow that master member                its master down, left, rebooted idle
// wait its turn member                its master follows none any more    idle                 wait its turn member
// only hearsay of it, kHearsay ago    idle                 wait its turn member (deputy)       kMasterSuspect member
// ask the LAN member (deputy)       kMasterSilent, gateway answers      master solo          CLAIM; open; cause silence
// member (deputy)       kMasterSilent, holder or no gateway candidate            go on asking
// candidate, rejoining  kWithoutGateway, hosts of the LAN   master solo          CLAIM; open: unless it is required
// candidate             kSilenceHolds, gateway answers      master solo          CLAIM; open; cause silence
// candidate             an old word of the silent master    candidate            (ProvenSilence)
// member                YIELD to this node                  master solo          CLAIM; open; cause handover
// member                YIELD to another                    idle                 wait until that one claims
// member                PREPARE                             member               PREPARED
// master     solo       an eligible follower                master offering      heartbeats offer the lease
// master     offering   kDeputyReady                        master leased        heartbeats renew the lease; HELLO
// master     offering   kOfferTimeout, or it is gone        master solo          that one not again before its cooldown
// master     leased     kLeaseLost                          master lost          ask the LAN; the gate has shut
// master     lost       kLeaseRenewed                       master leased
// master     both       kLeaseLapsed, gateway answers       master solo          CLAIM; open; cause lapse
// master     both       kLeaseLapsed, no gateway, or held   master rejoining     shut; QUERY; ask the LAN
// master     both       deputy sends GOODBYE                master solo          CLAIM; open; cause lapse
// master     leased     deputy cannot lead any more         master leased        offer, which releases it; then solo
// master     solo, off. stall, or control thread held       master rejoining     shut; QUERY; ask the LAN
// master     rejoining  listened, and the gateway answers   master solo          CLAIM; open; cause rejoin
// master     leased     HandOver, successor informed        master preparing     PREPARE
// master     preparing  PREPARED                            idle                 shut; YIELD, a few times
// master     preparing  kPrepareTimeout                     master leased        the handover has failed
// master     any        HELLO of a master of higher term    member               shut; follow it
// master     any        HELLO of a master of lower term     master               HELLO to it, and to all
// master     any        the era has changed                 candidate            shut; QUERY
// master     any        kServiceMacSeen from elsewhere      master               HELLO, QUERY to all; rejoining: veto
// master     any        kLinkDown, not alone                idle                 shut; kLinkUp: YIELD to deputy
// master     leased     not eligible, or outranked          master preparing     PREPARE, as for HandOver
// others                the era is new                      idle                 wait its turn; its founder: candidate
// candidate             not eligible                        idle
// any                   Resign                              idle                 shut
//
// "both": leased or lost. "off.": offering. A step to master waits as candidate, or rejoining, until the store has the
// term epoch (TermReserve).
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
#include "control/core/cluster/handover.h"
#include "control/core/cluster/membership.h"
#include "control/core/cluster/outgoing.h"
#include "control/core/cluster/proven_silence.h"
#include "control/core/cluster/reach.h"
#include "control/core/cluster/term_reserve.h"
#include "control/core/cluster/transport.h"
#include "control/core/cluster/veto.h"
#include "control/core/stored.h"
#include "proto/cluster/heartbeat_plan.h"
#include "proto/cluster/node.h"
#include "proto/event.h"
#include "proto/time.h"

namespace qure {

enum class Role : uint8_t {
  kIdle,       // no master known, and none is being made: booting, or waiting for its turn
  kMember,     // follows a master; its deputy, if the master names it
  kCandidate,  // asks whether anyone is master; claims if no master answers
  kMaster,
};

enum class MasterPhase : uint8_t {
  kSolo,       // no deputy: others act on our silence only after an election
  kOffering,   // solo, heartbeats are offered to a deputy to be
  kLeased,     // a deputy acknowledges
  kLost,       // it does not any more: the lease has ended, and the gate has shut
  kRejoining,  // this node was held: silent until it is known that no other node took over
  kPreparing,  // handover: asking the successor whether it is ready
};

// Why a node became master, and the label of the takeover metrics.
enum class Cause : uint8_t {
  kFirst,     // of its era
  kSilence,   // deputy: heartbeats ended
  kElected,   // master and deputy gone
  kHandover,  // the master yielded
  kLapse,     // master: the deputy ended; goes on under a new term
  kRejoin,    // was master, lost track, found no other
};
inline constexpr size_t kCauseCount = 6;
std::string_view NameOf(Role role);
std::string_view NameOf(MasterPhase phase);
std::string_view NameOf(Cause cause);

// What election knows of this node and its surroundings; renewed by the Controller before each call.
struct ElectionInput {
  Rank rank;
  uint32_t era = 0;
  bool has_era = false;          // it has joined or begun one
  bool eligible = false;         // may become master: not in maintenance, no clone heard, something to serve
  bool alone = false;            // no key: there are no other nodes
  bool needs_gateway = false;    // a gateway is configured: a node that claims asks it first
  bool gateway_required = true;  // only a node that reaches it may claim
  bool preempt = false;
  std::optional<NodeId> informed;  // the deputy that knows of all flows that a master must know
};

struct TakeoverRecord {
  Term term;
  Cause cause = Cause::kFirst;
  MonoTime at;
  Duration took;  // from the first sign that a master is missing to the claim
};

class Election {
 public:
  // `members` outlives the election.
  Election(const NodeId& self, const StoredEpochs& stored, const Membership* members);

  // `hello` is the one within the message, if it has one. The sender is an active member.
  void OnMessage(MonoTime now, const ElectionInput& input, const Incoming& incoming, const wire::Hello* hello,
                 Actions* out);
  // kAddressUsed only when a node of this cluster has answered: a foreign host concerns the claims only.
  void OnEvent(MonoTime now, const ElectionInput& input, const Event& event, Actions* out);
  void OnMemberChange(MonoTime now, const ElectionInput& input, const MemberChange& change, Actions* out);
  // Our thread was held: what waits to be read is old, and a later message may follow it.
  void OnHeld(MonoTime now, Actions* out);
  // The store's answer to TakeReservation.
  void OnStoreRecovered() { epochs_.OnStoreRecovered(); }
  void OnEpochsStored(const StoredEpochs& epochs, bool ok) { epochs_.OnStored(epochs, ok); }
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
  std::optional<StoredEpochs> TakeReservation() { return epochs_.TakeRequest(); }
  bool gate_open() const { return gate_open_; }
  uint64_t opening() const { return opening_; }            // the gate is opened anew whenever this has grown
  uint64_t stalls_known() const { return stalls_known_; }  // at that opening
  HeartbeatRole heartbeat_role() const { return heartbeat_role_; }
  std::optional<NodeId> heartbeat_peer() const;

  Role role() const { return role_; }
  MasterPhase phase() const;
  bool handing_over() const { return handover_.answering(); }
  // It asks the LAN before it claims: what it hears matters (kLanHeard).
  bool asking() const {
    return role_ == Role::kCandidate || (role_ == Role::kMaster && phase_ == MasterPhase::kRejoining);
  }
  // It leads though the gateway did not answer when it claimed, and has not since.
  bool without_gateway() const { return role_ == Role::kMaster && without_gateway_; }
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

  void CheckRules() const;
  void Hear(MonoTime now, const ElectionInput& input, const Incoming& incoming, const wire::Hello* hello, Actions* out);
  void Notice(MonoTime now, const ElectionInput& input, const Event& event, Actions* out);
  void OnHello(MonoTime now, const ElectionInput& input, const NodeId& from, const wire::Hello& hello, Actions* out);
  void OnRival(MonoTime now, const NodeId& from, const NodeId& master, const Term& term, Actions* out);
  void OnQuery(MonoTime now, const ElectionInput& input, const NodeId& from);
  void OnYield(MonoTime now, const ElectionInput& input, const NodeId& from, const wire::Yield& yield, Actions* out);
  void OnPrepared(MonoTime now, const NodeId& from, const wire::Prepared& prepared, Actions* out);
  void OnHeartbeater(MonoTime now, const ElectionInput& input, const Event& event, Actions* out);
  void OnStalled(MonoTime now, const Event& event, Actions* out);
  void OnLinkDown(MonoTime now, const ElectionInput& input, Actions* out);
  void OnLinkUp(MonoTime now, const ElectionInput& input, const Event& event, Actions* out);
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
  bool ReserveTerm(const ElectionInput& input);
  bool GatewayAnswers(const ElectionInput& input, MonoTime since) const;
  bool ClaimWithoutGateway(MonoTime now, const ElectionInput& input, Cause cause, Actions* out);
  bool MayClaim(MonoTime now, const ElectionInput& input) const;
  bool ProvenToBeMissing(MonoTime now, const ElectionInput& input) const;
  bool HeardLongAgo(MonoTime now, const ElectionInput& input) const;

  void TickRole(MonoTime now, const ElectionInput& input, Actions* out);
  void TickCandidate(MonoTime now, const ElectionInput& input, Actions* out);
  void TickMaster(MonoTime now, const ElectionInput& input, Actions* out);
  void TickHandover(MonoTime now, const ElectionInput& input, Actions* out);
  void TickYield(MonoTime now);
  void ChooseDeputy(MonoTime now, const ElectionInput& input);
  void Offer(MonoTime now, const NodeId& node);
  void ReleaseDeputy(MonoTime now);
  std::optional<NodeId> BestFollower(MonoTime now, const ElectionInput& input) const;
  bool CanLead(const Member& member, const ElectionInput& input) const;
  bool FollowsUs(const Member& member) const;
  int BetterRanked(const ElectionInput& input) const;
  void Send(Outgoing::What what, std::optional<NodeId> node = std::nullopt);

  const NodeId self_;
  const Membership* const members_;

  Role role_ = Role::kIdle;
  std::optional<Master> master_;
  std::optional<NodeId> deputy_;
  Term highest_;  // ever heard of
  TermReserve epochs_;
  bool warm_ = false;
  bool had_master_ = false;  // in this era

  // No master: waiting for our turn, then asking.
  MonoTime elect_at_ = kNever;
  MonoTime listen_until_ = kNever;  // kCandidate, kRejoining
  MonoTime next_ask_ = kNever;
  MonoTime asking_since_;
  MonoTime missing_since_;        // the first sign that a master is missing
  MonoTime suspect_at_ = kNever;  // deputy: kMasterSuspect
  Reach reach_;
  bool without_gateway_ = false;  // master: claimed though it did not answer, and it has not since
  Veto veto_;
  ProvenSilence silence_;
  int wanted_ = 0;  // unanswered requests since wanted_since_
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
  Handover handover_;
  bool must_go_ = false;            // it was begun since this node may not lead
  MonoTime last_hello_ = kLongAgo;  // sent because of a rival

  std::array<uint64_t, kCauseCount> takeovers_{};
  std::optional<TakeoverRecord> last_takeover_;
  std::vector<Outgoing> outgoing_;
};

}  // namespace qure
