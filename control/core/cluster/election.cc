#include "control/core/cluster/election.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "control/core/cluster/identity.h"
#include "control/core/timers.h"
#include "control/core/wire.h"
#include "proto/check.h"
#include "proto/mutation.h"

namespace qure {
namespace {

std::string Name(const Term& term) {
  return absl::StrCat(term.era, ".", term.epoch);
}

std::string Short(const NodeId& node) {
  return ToHex(node).substr(0, 8);
}

}  // namespace

Election::Election(const NodeId& self, const StoredEpochs& stored, const Membership* members)
    : self_(self), members_(members), epochs_(stored) {}

std::optional<NodeId> Election::heartbeat_peer() const {
  switch (heartbeat_role_) {
    case HeartbeatRole::kSilent:
      return std::nullopt;
    case HeartbeatRole::kFollow:
      return master();
    case HeartbeatRole::kOffer:
    case HeartbeatRole::kLead:
      return deputy_;
  }
  return std::nullopt;
}

MasterPhase Election::phase() const {
  return handover_.asked() ? MasterPhase::kPreparing : phase_;
}

// ---------------------------------------------------------------------------------------------------- what is heard

// Whatever has come in, these hold.
void Election::CheckRules() const {
  const bool leads = role_ == Role::kMaster;
  QURE_CHECK(!gate_open_ || leads, role_);
  QURE_CHECK(master_.has_value() == (leads || role_ == Role::kMember), role_);
  QURE_CHECK(!leads || (master_->node == self_ && master_->term.holder == HolderOf(self_)), phase_);
  QURE_CHECK(leads || heartbeat_role_ == HeartbeatRole::kSilent || heartbeat_role_ == HeartbeatRole::kFollow, role_,
             heartbeat_role_);
  const bool has_deputy =
      phase_ == MasterPhase::kOffering || phase_ == MasterPhase::kLeased || phase_ == MasterPhase::kLost;
  QURE_CHECK(!leads || !has_deputy || deputy_, phase_);
  QURE_CHECK(!leads || heartbeat_role_ == HeartbeatRole::kSilent || deputy_, phase_, heartbeat_role_);
}

void Election::OnMessage(MonoTime now, const ElectionInput& input, const Incoming& incoming, const wire::Hello* hello,
                         Actions* out) {
  Hear(now, input, incoming, hello, out);
  CheckRules();
}

void Election::Hear(MonoTime now, const ElectionInput& input, const Incoming& incoming, const wire::Hello* hello,
                    Actions* out) {
  if (hello != nullptr) OnHello(now, input, incoming.node, *hello, out);
  const wire::Message& message = incoming.message;
  switch (message.body_case()) {
    case wire::Message::kQuery:
      return OnQuery(now, input, incoming.node);
    case wire::Message::kYield:
      return OnYield(now, input, incoming.node, message.yield(), out);
    case wire::Message::kPrepare:
      if (master_ && master_->node == incoming.node && master_->term == ReadTerm(message.prepare().term()) &&
          input.eligible) {
        Send(Outgoing::What::kPrepared, incoming.node);
      }
      return;
    case wire::Message::kPrepared:
      return OnPrepared(now, incoming.node, message.prepared(), out);
    default:
      return;
  }
}

void Election::OnHello(MonoTime now, const ElectionInput& input, const NodeId& from, const wire::Hello& hello,
                       Actions* out) {
  const Term highest = ReadTerm(hello.highest_term());
  const Term term = ReadTerm(hello.master_term());
  if (std::max(highest.epoch, term.epoch) >= kTermEpochLimit) return;
  highest_ = std::max({highest_, highest, term});
  if (!input.has_era || hello.booting()) return;
  const std::optional<NodeId> master = ReadId(hello.master());
  if (!master) {
    if (role_ == Role::kMember && master_->node == from) LoseMaster(now, input);
    return;
  }
  if (term.era != input.era || term.holder != HolderOf(*master)) return;  // another era: Lifetime decides first
  const bool direct = *master == from;
  if (role_ == Role::kMaster) return OnRival(now, from, *master, term, out);
  if (*master == self_) return Send(Outgoing::What::kHello, from);  // not any more
  if (!master_ && silence_.Outdates(now, *master, term, direct)) return;
  if (!master_ || term > master_->term) return Follow(now, *master, term, out);
  if (term == master_->term) {
    master_->named = now;
    veto_.OnMaster();
    if (direct) deputy_ = ReadId(hello.deputy());
  } else if (direct) {
    Send(Outgoing::What::kHello, from);  // it does not know of its successor
  }
}

// As master, hearing of a master.
void Election::OnRival(MonoTime now, const NodeId& from, const NodeId& master, const Term& term, Actions* out) {
  if (master == self_) return;
  if (term > master_->term && !Mutated(Mutation::kIgnoreHigherTerm)) {
    out->push_back(MakeLog(LogLevel::kWarning, "node ", Short(master), " is master of term ", Name(term),
                           ", above ours, ", Name(master_->term), ": stepping down"));
    StepDown(out);
    return Follow(now, master, term, out);
  }
  if (now - last_hello_ < kRivalInterval) return;
  last_hello_ = now;
  Send(Outgoing::What::kHello, from);
  if (master != from) return;
  Send(Outgoing::What::kHello);
}

void Election::OnQuery(MonoTime now, const ElectionInput& input, const NodeId& from) {
  if (role_ == Role::kMaster && gate_open_ && phase_ != MasterPhase::kLost) return Send(Outgoing::What::kHello, from);
  if (role_ == Role::kMember) {
    const Member* master = members_->Find(master_->node);
    if (master != nullptr && master->state == MemberState::kAlive && master_->node != from) {
      Send(Outgoing::What::kHello, from);
    }
    return;
  }
  // Another candidate: the better one goes on.
  const Member* other = members_->Find(from);
  if (role_ != Role::kCandidate || other == nullptr || !CanLead(*other, input) || other->rank() < input.rank) return;
  role_ = Role::kIdle;
  elect_at_ = now + kCandidateListen + kElectStep;
}

void Election::OnYield(MonoTime now, const ElectionInput& input, const NodeId& from, const wire::Yield& yield,
                       Actions* out) {
  if (role_ != Role::kMember || master_->node != from || master_->term != ReadTerm(yield.term())) return;
  const std::optional<NodeId> successor = ReadId(yield.successor());
  LoseMaster(now, input);
  if (successor == self_ && input.eligible && now >= distrust_until_) {
    return BecomeMaster(now, input, Cause::kHandover, out);
  }
  if (successor) elect_at_ = elect_at_ + kYieldTimeout;
}

void Election::OnPrepared(MonoTime now, const NodeId& from, const wire::Prepared& prepared, Actions* out) {
  if (role_ != Role::kMaster || !handover_.asked() || handover_.successor() != from) return;
  if (ReadTerm(prepared.term()) != master_->term) return;
  out->push_back(MakeLog(LogLevel::kInfo, "handing the mastership over to node ", Short(from)));
  handover_.Yield(now, master_->term);
  StepDown(out);
  if (Mutated(Mutation::kNoYieldShut)) gate_open_ = true;
  master_.reset();
  role_ = Role::kIdle;
  elect_at_ = now + kYieldTimeout;
  missing_since_ = now;
  TickYield(now);
}

// ---------------------------------------------------------------------------------------------- what workers report

void Election::OnEvent(MonoTime now, const ElectionInput& input, const Event& event, Actions* out) {
  Notice(now, input, event, out);
  CheckRules();
}

void Election::Notice(MonoTime now, const ElectionInput& input, const Event& event, Actions* out) {
  switch (event.kind) {
    case EventKind::kNeighbor:
      reach_.OnGateway(now);
      without_gateway_ = false;
      if (role_ == Role::kCandidate && ProvenToBeMissing(now, input)) next_ask_ = now;  // no need to wait for it
      return;
    case EventKind::kAddressUsed:
      if (role_ != Role::kMaster || phase_ == MasterPhase::kRejoining) veto_.OnAnswer(now);
      return;
    case EventKind::kLanHeard:
      return reach_.OnLan(now);
    case EventKind::kAddressWanted:
      reach_.OnLan(now);
      return OnWanted(now);
    case EventKind::kServiceMacSeen:
      // Nothing leaves from our service MAC meanwhile: another node answers for the address. Its messages may be lost,
      // or sealed with a key that this node does not have.
      if (role_ == Role::kMaster && phase_ == MasterPhase::kRejoining) veto_.OnAnswer(now);
      if (role_ != Role::kMaster || now - last_hello_ < kRivalInterval) return;
      last_hello_ = now;
      Send(Outgoing::What::kHello);
      return Send(Outgoing::What::kQuery);
    case EventKind::kStalled:
      return OnStalled(now, event, out);
    case EventKind::kLinkDown:
      return OnLinkDown(now, input, out);
    case EventKind::kLinkUp:
      return OnLinkUp(now, input, event, out);
    case EventKind::kStaleHeartbeat:
      if (const std::optional<NodeId> peer = heartbeat_peer()) Send(Outgoing::What::kQuery, *peer);
      return;
    default:
      if (master_ && event.term == master_->term) OnHeartbeater(now, input, event, out);
      return;
  }
}

void Election::OnHeartbeater(MonoTime now, const ElectionInput& input, const Event& event, Actions* out) {
  const bool leads = role_ == Role::kMaster;
  switch (event.kind) {
    case EventKind::kDeputyReady:
      if (leads) OnDeputyReady(now, out);
      return;
    case EventKind::kLeaseLost:
      if (!leads || phase_ != MasterPhase::kLeased) return;
      phase_ = MasterPhase::kLost;
      lost_at_ = missing_since_ = now;
      return Send(Outgoing::What::kAskLan);
    case EventKind::kLeaseRenewed:
      if (leads && phase_ == MasterPhase::kLost) phase_ = MasterPhase::kLeased;
      return;
    case EventKind::kLeaseLapsed:
      if (leads && (phase_ == MasterPhase::kLost || phase_ == MasterPhase::kLeased)) OnLapsed(now, input, out);
      return;
    case EventKind::kMasterSuspect:
      if (leads) return;
      suspect_at_ = missing_since_ = now;
      return Send(Outgoing::What::kAskLan);
    case EventKind::kMasterBack:
      suspect_at_ = kNever;
      return;
    case EventKind::kMasterSilent:
      if (role_ == Role::kMember) OnMasterSilent(now, input, event, out);
      return;
    default:
      return;
  }
}

// The deputy's case: the master may not transmit any more, and no heartbeat waits in our queue.
void Election::OnMasterSilent(MonoTime now, const ElectionInput& input, const Event& event, Actions* out) {
  const MonoTime since = suspect_at_ == kNever ? now : suspect_at_;
  const bool veto = veto_.Speaks(now, since);
  const MonoTime missing = missing_since_;
  const Term term = master_->term;
  const NodeId master = master_->node;
  LoseMaster(now, input);
  missing_since_ = missing;
  if (!input.eligible) return;
  // Heard late: the master may have gone on under another term since, and its message of that may wait behind this
  // event.
  if (now < distrust_until_ || now - event.at > event.span / 2) return BeginCandidate(now);
  if (!veto && GatewayAnswers(input, since)) return BecomeMaster(now, input, Cause::kSilence, out);
  out->push_back(MakeLog(LogLevel::kInfo, "master of term ", Name(term), " is silent, but ",
                         veto ? "another node answers for the address" : "the gateway has not answered yet",
                         ": going on asking"));
  BeginCandidate(now);
  silence_.Begin(now, master, term, since);
}

void Election::OnStalled(MonoTime now, const Event& event, Actions* out) {
  stalls_seen_ = std::max(stalls_seen_, event.stalls);
  last_stall_ = now;
  suspect_at_ = kNever;
  if (role_ == Role::kCandidate) return BeginCandidate(now);
  if (role_ != Role::kMaster) return;
  if (phase_ == MasterPhase::kLeased || phase_ == MasterPhase::kLost) return Send(Outgoing::What::kQuery);
  if (phase_ == MasterPhase::kRejoining) return BeginRejoin(now);
  out->push_back(MakeLog(LogLevel::kWarning, "stood still for ", event.span.ns / Milliseconds(1).ns,
                         " ms without a deputy: silent until it is known that no other node took over"));
  BeginRejoin(now);
}

// Nobody hears this node: its deputy takes over by itself, or with the YIELD that is sent when the link is back.
void Election::OnLinkDown(MonoTime now, const ElectionInput& input, Actions* out) {
  if (role_ != Role::kMaster || input.alone) return;
  const Term term = master_->term;
  const std::optional<NodeId> successor = phase_ == MasterPhase::kLeased ? deputy_ : std::nullopt;
  StepDown(out);
  handover_.GiveUp(successor, term);
  master_.reset();
  role_ = Role::kIdle;
  missing_since_ = now;
}

void Election::OnLinkUp(MonoTime now, const ElectionInput& input, const Event& event, Actions* out) {
  if (input.alone) return OnStalled(now, event, out);
  stalls_seen_ = std::max(stalls_seen_, event.stalls);
  last_stall_ = now;
  if (role_ != Role::kIdle || !handover_.TakeGivenUp(now) || !input.has_era || !input.eligible) return;
  missing_since_ = now;
  TickYield(now);
  BeginCandidate(now);
}

void Election::OnDeputyReady(MonoTime now, Actions* out) {
  if (phase_ != MasterPhase::kOffering && !unbinding_) return;
  if (unbinding_) {  // the old deputy is free: solo, and on to the one that is wanted
    unbinding_ = false;
    GoSolo(stalls_seen_);
    if (const auto successor = handover_.successor()) Offer(now, *successor);
    return;
  }
  phase_ = MasterPhase::kLeased;
  heartbeat_role_ = HeartbeatRole::kLead;
  offer_until_ = kNever;
  out->push_back(MakeLog(LogLevel::kInfo, "node ", Short(*deputy_), " is deputy"));
  Send(Outgoing::What::kHello);  // names the deputy to all
}

// The deputy does not acknowledge: it is dead, cut off, or has taken over.
void Election::OnLapsed(MonoTime now, const ElectionInput& input, Actions* out) {
  out->push_back(MakeLog(LogLevel::kWarning, "deputy ", deputy_ ? Short(*deputy_) : "", " does not answer any more"));
  if (deputy_) cooldown_[*deputy_] = now + kDeputyCooldown;
  handover_.Cancel();
  unbinding_ = false;
  if (now - last_stall_ < kCandidateListen || now < distrust_until_ || !GatewayAnswers(input, lost_at_)) {
    return BeginRejoin(now);
  }
  BecomeMaster(now, input, Cause::kLapse, out);
}

void Election::OnWanted(MonoTime now) {
  if (role_ != Role::kMember) return;
  if (now - wanted_since_ > kWantedWithin) {
    wanted_since_ = now;
    wanted_ = 0;
  }
  if (++wanted_ < kWantedCount) return;
  wanted_since_ = kLongAgo;
  Send(Outgoing::What::kSuspect, master_->node);
}

void Election::OnMemberChange(MonoTime now, const ElectionInput& input, const MemberChange& change, Actions* out) {
  using Kind = MemberChange::Kind;
  const bool gone = change.kind == Kind::kDown || change.kind == Kind::kLeft || change.kind == Kind::kRebooted;
  if (!gone) return;
  if (role_ == Role::kMember && master_->node == change.node) {
    out->push_back(MakeLog(LogLevel::kWarning, "master ", Short(change.node), " is gone"));
    return LoseMaster(now, input);
  }
  if (role_ != Role::kMaster || deputy_ != change.node) return;
  // A node that sent GOODBYE does not act any more: no need to wait for the lease to lapse. The others are waited for.
  if (change.kind == Kind::kLeft && (phase_ == MasterPhase::kLeased || phase_ == MasterPhase::kLost)) {
    missing_since_ = now;
    return BecomeMaster(now, input, Cause::kLapse, out);
  }
  if (phase_ == MasterPhase::kOffering) GoSolo(stalls_known_);
}

void Election::OnHeld(MonoTime now, Actions* out) {
  distrust_until_ = now + kCandidateListen;
  suspect_at_ = kNever;
  if (role_ == Role::kCandidate) return BeginCandidate(now);
  if (role_ != Role::kMaster || phase_ == MasterPhase::kLeased || phase_ == MasterPhase::kLost) return;
  out->push_back(MakeLog(LogLevel::kWarning,
                         "the control thread was held without a deputy: "
                         "silent until it is known that no other node took over"));
  BeginRejoin(now);
}

void Election::OnEra(MonoTime now, const ElectionInput& input, bool founded, Actions* out) {
  if (role_ == Role::kMaster) {  // a merge: the term must be of the new era, and others may lead there
    StepDown(out);
    role_ = Role::kIdle;
    master_.reset();
    missing_since_ = now;
    return BeginCandidate(now);
  }
  had_master_ = false;
  master_.reset();
  deputy_.reset();
  heartbeat_role_ = HeartbeatRole::kSilent;
  role_ = Role::kIdle;
  missing_since_ = now;
  if (founded && input.eligible) return BeginCandidate(now);
  elect_at_ = now + kElectFirst + kElectStep * (1 + BetterRanked(input));
}

// ------------------------------------------------------------------------------------------------------ transitions

void Election::Follow(MonoTime now, const NodeId& node, const Term& term, Actions* out) {
  out->push_back(MakeLog(LogLevel::kInfo, "node ", Short(node), " is master of term ", Name(term)));
  role_ = Role::kMember;
  had_master_ = true;
  master_ = {.node = node, .term = term, .named = now};
  silence_.End();
  veto_.OnMaster();
  highest_ = std::max(highest_, term);
  deputy_.reset();
  heartbeat_role_ = HeartbeatRole::kFollow;
  elect_at_ = listen_until_ = next_ask_ = suspect_at_ = kNever;
  handover_.StopYielding();
  wanted_since_ = kLongAgo;
}

// As a member: there is no master any more. Ours to stand for election when the turn comes.
void Election::LoseMaster(MonoTime now, const ElectionInput& input) {
  const bool deputy = deputy_ == self_;
  role_ = Role::kIdle;
  master_.reset();
  deputy_.reset();
  heartbeat_role_ = HeartbeatRole::kSilent;
  suspect_at_ = kNever;
  missing_since_ = now;
  elect_at_ = deputy ? now : now + kElectFirst + kElectStep * BetterRanked(input);
}

// As master: not any more. The caller decides what is next.
void Election::StepDown(Actions* out) {
  out->push_back(MakeLog(LogLevel::kInfo, "no longer master of term ", Name(master_->term)));
  gate_open_ = false;
  heartbeat_role_ = HeartbeatRole::kSilent;
  deputy_.reset();
  handover_.Cancel();
  unbinding_ = false;
  cooldown_.clear();
  offer_until_ = listen_until_ = next_ask_ = kNever;
}

void Election::BeginCandidate(MonoTime now) {
  role_ = Role::kCandidate;
  silence_.End();
  elect_at_ = kNever;
  asking_since_ = now;
  listen_until_ = now + kCandidateListen;
  Ask(now);
}

void Election::BeginRejoin(MonoTime now) {
  phase_ = MasterPhase::kRejoining;
  gate_open_ = false;
  heartbeat_role_ = HeartbeatRole::kSilent;
  deputy_.reset();
  handover_.Cancel();
  unbinding_ = false;
  offer_until_ = kNever;
  asking_since_ = missing_since_ = now;
  listen_until_ = now + kCandidateListen;
  Ask(now);
}

void Election::Ask(MonoTime now) {
  const bool listening = now < listen_until_;
  const Duration pause = listening ? kCandidateAsk : now - asking_since_ < Seconds(1) ? kGatewayAsk : kGatewayAskSlow;
  next_ask_ = listening ? std::min(now + pause, listen_until_) : now + pause;
  if (listening) Send(Outgoing::What::kQuery);
  Send(Outgoing::What::kAskLan);
}

bool Election::GatewayAnswers(const ElectionInput& input, MonoTime since) const {
  return !input.needs_gateway || reach_.GatewayAnswered(since) || Mutated(Mutation::kClaimWithoutGateway);
}

// The gateway has not answered, it is not required, and there are clients without it. Asks once more whether
// anyone leads before it claims: others may have come back since it last did. True if it does either.
bool Election::ClaimWithoutGateway(MonoTime now, const ElectionInput& input, Cause cause, Actions* out) {
  if (input.gateway_required || now < listen_until_ || !reach_.MayGoWithout(now, asking_since_)) return false;
  if (now - listen_until_ > kCandidateListen) {
    listen_until_ = now + kCandidateListen;
    Ask(now);
    return true;
  }
  BecomeMaster(now, input, cause, out);
  without_gateway_ = role_ == Role::kMaster && gate_open_;
  out->push_back(MakeLog(LogLevel::kWarning, "the gateway does not answer: serving the LAN without it"));
  return true;
}

// As candidate.
bool Election::MayClaim(MonoTime now, const ElectionInput& input) const {
  return input.alone || Mutated(Mutation::kClaimWhileListening) ||
         (now >= listen_until_ && GatewayAnswers(input, listen_until_));
}

// As candidate: this node was the deputy of a master that is silent, and the gateway has answered since it asked. Busy
// gateways take longer than a deputy asks before its limit; nobody else acts before kElectFirst.
bool Election::ProvenToBeMissing(MonoTime now, const ElectionInput& input) const {
  return silence_.Holds(now) && GatewayAnswers(input, silence_.asked()) && !veto_.Speaks(now, silence_.asked());
}

// A gateway that answers only long after the listening was over: this node was cut off meanwhile, and those who can
// answer now did not hear its question.
bool Election::HeardLongAgo(MonoTime now, const ElectionInput& input) const {
  return input.needs_gateway && !input.alone && epochs_.settled() && now - listen_until_ > kCandidateListen;
}

bool Election::ReserveTerm(const ElectionInput& input) {
  return epochs_.Reserve(input.era, epochs_.Next(input.era, highest_), input.alone);
}

void Election::BecomeMaster(MonoTime now, const ElectionInput& input, Cause cause, Actions* out) {
  const Term next{.era = input.era, .epoch = epochs_.Next(input.era, highest_), .holder = HolderOf(self_)};
  if (!epochs_.Reserve(next.era, next.epoch, input.alone)) {  // Tick comes back when it is reserved
    if (role_ != Role::kMaster) {
      role_ = Role::kCandidate;
      elect_at_ = kNever;
      asking_since_ = now;
    } else {
      phase_ = MasterPhase::kRejoining;
    }
    if (listen_until_ == kNever) listen_until_ = now;
    next_ask_ = now + kCandidateAsk;
    return;
  }
  warm_ = had_master_;
  had_master_ = true;
  without_gateway_ = false;
  role_ = Role::kMaster;
  epochs_.Claim(next.era, next.epoch);
  master_ = {.node = self_, .term = next, .named = now};
  highest_ = std::max(highest_, master_->term);
  elect_at_ = listen_until_ = next_ask_ = suspect_at_ = kNever;
  handover_.Cancel();
  handover_.StopYielding();
  handover_.StopAnswering();
  GoSolo(stalls_seen_);
  ++takeovers_[static_cast<size_t>(cause)];
  last_takeover_ = {.term = master_->term, .cause = cause, .at = now, .took = now - missing_since_};
  if (!input.alone) {
    out->push_back(
        MakeLog(LogLevel::kInfo, "master of term ", Name(master_->term), ", cause: ", std::string(NameOf(cause))));
  }
  Send(Outgoing::What::kClaim);
}

// The gate opens without a lease. Only when no deputy can act any more.
void Election::GoSolo(uint64_t stalls_known) {
  phase_ = MasterPhase::kSolo;
  heartbeat_role_ = HeartbeatRole::kSilent;
  deputy_.reset();
  unbinding_ = false;
  offer_until_ = kNever;
  gate_open_ = true;
  ++opening_;
  stalls_known_ = stalls_known;
}

// ------------------------------------------------------------------------------------------------------------- time

void Election::Tick(MonoTime now, const ElectionInput& input, Actions* out) {
  handover_.Tick(now);
  TickYield(now);
  if (input.has_era) TickRole(now, input, out);
  CheckRules();
}

void Election::TickRole(MonoTime now, const ElectionInput& input, Actions* out) {
  if (role_ != Role::kMaster) ReserveTerm(input);
  switch (role_) {
    case Role::kIdle:
      if (!input.eligible) {
        elect_at_ = kNever;
        return;
      }
      if (elect_at_ == kNever) elect_at_ = now + kElectFirst + kElectStep * BetterRanked(input);
      if (input.alone || now >= elect_at_) BeginCandidate(now);
      if (!input.alone) return;
      [[fallthrough]];
    case Role::kCandidate:
      return TickCandidate(now, input, out);
    case Role::kMember:
      // Known by hearsay only, and no node names it any more.
      if (const Member* member = members_->Find(master_->node);
          (member == nullptr || !member->present()) && now - master_->named >= kHearsay) {
        LoseMaster(now, input);
      }
      return;
    case Role::kMaster:
      return TickMaster(now, input, out);
  }
}

void Election::TickCandidate(MonoTime now, const ElectionInput& input, Actions* out) {
  if (!input.eligible) {
    role_ = Role::kIdle;
    listen_until_ = next_ask_ = kNever;
    return;
  }
  // A node of the cluster answers for the address, but no message of a master comes through: it serves, so be it.
  if (veto_.Speaks(now, asking_since_)) {
    asking_since_ = now;
    listen_until_ = now + kCandidateListen;
  }
  // The gateway's answer after the listening: our worker was awake to hear, and all that came before it was heard.
  if (ProvenToBeMissing(now, input)) {
    BecomeMaster(now, input, Cause::kSilence, out);
  } else if (MayClaim(now, input)) {
    if (HeardLongAgo(now, input)) return BeginCandidate(now);
    BecomeMaster(now, input, had_master_ ? Cause::kElected : Cause::kFirst, out);
  } else if (ClaimWithoutGateway(now, input, had_master_ ? Cause::kElected : Cause::kFirst, out)) {
    return;
  }
  if (role_ == Role::kCandidate && now >= next_ask_) Ask(now);
}

void Election::TickMaster(MonoTime now, const ElectionInput& input, Actions* out) {
  if (phase_ == MasterPhase::kRejoining) {
    if (veto_.Speaks(now, asking_since_)) {
      asking_since_ = now;
      listen_until_ = now + kCandidateListen;
    }
    if (now >= listen_until_ && GatewayAnswers(input, listen_until_)) {
      return HeardLongAgo(now, input) ? BeginRejoin(now) : BecomeMaster(now, input, Cause::kRejoin, out);
    }
    if (ClaimWithoutGateway(now, input, Cause::kRejoin, out)) return;
    if (now >= next_ask_) Ask(now);
    return;
  }
  ReserveTerm(input);
  // Why it was to be handed over is over: `maintenance off`.
  if (handover_.under_way() && !handover_.asked() && must_go_ && input.eligible) handover_.Cancel();
  if (handover_.under_way()) TickHandover(now, input, out);
  if (now >= offer_until_) {
    if (unbinding_) return BeginRejoin(now);  // the deputy has not agreed to be released: it may act
    cooldown_[*deputy_] = now + kDeputyCooldown;
    GoSolo(stalls_known_);
  }
  if (phase_ == MasterPhase::kSolo) ChooseDeputy(now, input);
  if (handover_.under_way() || unbinding_ || phase_ != MasterPhase::kLeased) return;
  const std::optional<NodeId> best = BestFollower(now, input);
  if (!best) return;
  const Member* deputy = members_->Find(*deputy_);
  if (deputy != nullptr && deputy->present() && !CanLead(*deputy, input)) return ReleaseDeputy(now);
  const bool outranked = input.preempt && members_->Find(*best)->hello.priority() > input.rank.priority;
  if (!outranked && input.eligible) return;
  HandOver(now, input, best, out);
  must_go_ = !input.eligible;
}

void Election::TickHandover(MonoTime now, const ElectionInput& input, Actions* out) {
  const NodeId successor = *handover_.successor();
  const bool is_deputy = phase_ == MasterPhase::kLeased && deputy_ == successor;
  switch (handover_.Advance(now, is_deputy, input.informed == successor)) {
    case Handover::Step::kWait:
      return;
    case Handover::Step::kAsk:
      return Send(Outgoing::What::kPrepare, successor);
    case Handover::Step::kFail:
      out->push_back(MakeLog(LogLevel::kWarning, "handover to node ", Short(successor),
                             " failed: it did not report that it is ready"));
      return;
  }
}

void Election::TickYield(MonoTime now) {
  const auto yielded = handover_.TakeYield(now);
  if (!yielded) return;
  outgoing_.push_back({.what = Outgoing::What::kYield, .node = yielded->successor, .term = yielded->term});
}

MonoTime Election::deadline() const {
  MonoTime next = std::min(elect_at_, handover_.deadline());
  if (role_ == Role::kCandidate) next = std::min(next, next_ask_);
  if (role_ == Role::kMember) {
    const Member* member = members_->Find(master_->node);
    if (member == nullptr || !member->present()) next = std::min(next, master_->named + kHearsay);
  }
  if (role_ != Role::kMaster) return next;
  if (phase_ == MasterPhase::kRejoining) next = std::min(next, next_ask_);
  next = std::min(next, offer_until_);
  if (phase_ == MasterPhase::kSolo) {
    for (const auto& [node, until] : cooldown_) next = std::min(next, until);
  }
  return next;
}

// ------------------------------------------------------------------------------------------------ deputy and handover

bool Election::FollowsUs(const Member& member) const {
  return ReadId(member.hello.master()) == self_ && ReadTerm(member.hello.master_term()) == master_->term;
}

bool Election::CanLead(const Member& member, const ElectionInput& input) const {
  const wire::Hello& hello = member.hello;
  return member.state == MemberState::kAlive && !hello.booting() && hello.era() == input.era && hello.ready() &&
         !hello.maintenance() && !hello.ineligible();
}

int Election::BetterRanked(const ElectionInput& input) const {
  return static_cast<int>(std::ranges::count_if(members_->all(), [&](const auto& entry) {
    return CanLead(entry.second, input) && input.rank < entry.second.rank();
  }));
}

std::optional<NodeId> Election::BestFollower(MonoTime now, const ElectionInput& input) const {
  const Member* best = nullptr;
  for (const auto& [node, member] : members_->all()) {
    const auto cooling = cooldown_.find(node);
    if (cooling != cooldown_.end() && now < cooling->second) continue;
    if (!CanLead(member, input) || !FollowsUs(member)) continue;
    if (best == nullptr || best->rank() < member.rank()) best = &member;
  }
  return best == nullptr ? std::nullopt : std::optional(best->node);
}

void Election::ChooseDeputy(MonoTime now, const ElectionInput& input) {
  std::erase_if(cooldown_, [now](const auto& entry) { return now >= entry.second; });
  if (const auto successor = handover_.successor()) return Offer(now, *successor);
  if (const std::optional<NodeId> best = BestFollower(now, input)) Offer(now, *best);
}

void Election::Offer(MonoTime now, const NodeId& node) {
  deputy_ = node;
  phase_ = MasterPhase::kOffering;
  heartbeat_role_ = HeartbeatRole::kOffer;
  offer_until_ = now + kOfferTimeout;
}

// The deputy may act on our silence until it has acknowledged an offer, which binds to nothing.
void Election::ReleaseDeputy(MonoTime now) {
  unbinding_ = true;
  heartbeat_role_ = HeartbeatRole::kOffer;
  offer_until_ = now + kOfferTimeout;
}

std::string Election::HandOver(MonoTime now, const ElectionInput& input, std::optional<NodeId> successor,
                               Actions* out) {
  if (role_ != Role::kMaster) return "this node is not master; ask the master";
  if (phase_ == MasterPhase::kLost || phase_ == MasterPhase::kRejoining) {
    return absl::StrCat("the mastership is in doubt (", std::string(NameOf(phase_)), "); try again in a second");
  }
  if (successor == self_) return "this node is master already";
  if (successor) {
    const Member* member = members_->Find(*successor);
    if (member == nullptr || !CanLead(*member, input)) {
      return absl::StrCat("node ", Short(*successor), " cannot lead: it is not alive, not ready or in maintenance");
    }
  } else {
    successor = phase_ == MasterPhase::kLeased ? deputy_ : BestFollower(now, input);
  }
  if (!successor) return "no other node can lead now";
  handover_.Begin(now, *successor);
  must_go_ = false;
  if (phase_ == MasterPhase::kLeased && deputy_ != successor) {
    ReleaseDeputy(now);
  } else if (phase_ == MasterPhase::kOffering && deputy_ != successor) {
    Offer(now, *successor);
  }
  TickMaster(now, input, out);
  return "";
}

void Election::Resign(Actions* out) {
  if (role_ == Role::kMaster) StepDown(out);
  role_ = Role::kIdle;
  master_.reset();
  deputy_.reset();
  heartbeat_role_ = HeartbeatRole::kSilent;
  elect_at_ = kNever;
}

void Election::Send(Outgoing::What what, std::optional<NodeId> node) {
  outgoing_.push_back({.what = what, .node = node, .term = term()});
}

}  // namespace qure
