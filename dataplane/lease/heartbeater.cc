#include "dataplane/lease/heartbeater.h"

#include <algorithm>
#include <utility>

#include "proto/check.h"
#include "proto/mutation.h"

namespace qure {

namespace {

constexpr Duration LeaseOf(Duration d) {
  return d * 3 / 4;
}

// What the control core guarantees of a plan that is not silent.
void CheckPlan(const HeartbeatPlan& plan) {
  if (plan.role == HeartbeatRole::kSilent) return;
  QURE_CHECK(plan.peer.boot != BootId{}, plan.role);
  QURE_CHECK(plan.role != HeartbeatRole::kLead || plan.opening != 0, plan.role, plan.opening);
  QURE_CHECK(plan.interval > Duration{}, plan.interval);
  QURE_CHECK(plan.min_lease > Duration{} && plan.min_lease <= plan.max_lease, plan.min_lease, plan.max_lease);
}

}  // namespace

Heartbeater::Heartbeater(LeaseGate* gate, Send send, Salt salt, Emit emit)
    : gate_(gate), send_(std::move(send)), salt_(std::move(salt)), emit_(std::move(emit)) {}

Heartbeater::Bond Heartbeater::BondOf(const HeartbeatPlan& plan) {
  return {.role = plan.role,
          .term = plan.term,
          .opening = plan.role == HeartbeatRole::kLead ? plan.opening : 0,
          .peer = plan.peer.boot};
}

void Heartbeater::Use(MonoTime now, const std::shared_ptr<const HeartbeatPlan>& plan) {
  if (plan == plan_) return;
  const Bond before = plan_ == nullptr ? Bond{} : BondOf(*plan_);
  plan_ = plan;
  if (plan_ != nullptr) CheckPlan(*plan_);
  if (plan_ != nullptr && BondOf(*plan_) == before) return;  // other keys, readiness or limits: the same goes on
  next_heartbeat_ = kNever;
  if (before.role == HeartbeatRole::kSilent) last_round_ = kNever;  // a worker need not call Round while it is silent
  if (plan_ == nullptr || plan_->role == HeartbeatRole::kSilent) return;
  const bool same_peer = plan_->peer.boot == jitter_of_;
  if (!same_peer) {
    jitter_ = {};
    clocks_ = {};
    ReportClocks();
  }
  jitter_.Interrupted();
  jitter_of_ = plan_->peer.boot;
  if (plan_->role == HeartbeatRole::kFollow) {
    BeginFollow(now);
  } else {
    BeginLead(now, same_peer);
  }
}

void Heartbeater::Round(MonoTime now, const std::shared_ptr<const HeartbeatPlan>& plan, Duration stall, bool emptied) {
  Use(now, plan);
  const Duration gap = std::max(stall, last_round_ == kNever ? Duration{} : now - last_round_);
  last_round_ = now;
  if (plan_ == nullptr || plan_->role == HeartbeatRole::kSilent) return;
  if (gap > plan_->max_lease / 2) jitter_.Interrupted();
  if (plan_->role == HeartbeatRole::kFollow) return WatchMaster(now, gap, emptied);
  // What waits in the queue is received before silence is reported.
  if (stall > Duration{}) window_start_ = now;
  // Answers wait for the proof: it is asked for at once.
  const bool lead = plan_->role == HeartbeatRole::kLead;
  if (lead && gate_->backlogs() != marks_at_heartbeat_.backlogs) next_heartbeat_ = now;
  if (now >= next_heartbeat_) SendRequest(now);
  if (lead) WatchLease(now);
}

HeartbeatReject Heartbeater::Receive(MonoTime now, ConstBytes datagram) {
  const HeartbeatReject reject = Accept(now, datagram);
  if (reject != HeartbeatReject::kNone) ++counters_.rejected[static_cast<size_t>(reject)];
  return reject;
}

HeartbeatReject Heartbeater::Accept(MonoTime now, ConstBytes datagram) {
  if (plan_ == nullptr || plan_->role == HeartbeatRole::kSilent) return HeartbeatReject::kUnexpected;
  const EnvelopeHeader* header = PeekEnvelope(datagram);
  if (header == nullptr || header->channel != static_cast<uint8_t>(Channel::kHeartbeat) ||
      datagram.size() != kEnvelopeOverhead + kHeartbeatSize) {
    return HeartbeatReject::kMalformed;
  }
  const HeartbeatPeer& peer = plan_->peer;
  if (header->sender != peer.node || header->boot != peer.boot) return HeartbeatReject::kUnexpected;
  const auto key = std::ranges::find(peer.keys, header->key_id.value(), &HeartbeatKey::id);
  std::array<uint8_t, kHeartbeatSize> plain;
  if (key == peer.keys.end() || !Unseal(key->key, datagram, plain)) return HeartbeatReject::kUnauthentic;
  if (!WindowOf(peer.boot)->Accept(header->counter.value())) return HeartbeatReject::kReplayed;
  const std::optional<Heartbeat> heartbeat = ReadHeartbeat(plain);
  if (!heartbeat) return HeartbeatReject::kMalformed;
  if (heartbeat->to != plan_->boot) return HeartbeatReject::kUnexpected;
  if (heartbeat->term != plan_->term) {
    OnOtherTerm(now, *heartbeat);
    return HeartbeatReject::kOtherTerm;
  }
  const bool follow = plan_->role == HeartbeatRole::kFollow;
  if (follow != (heartbeat->kind == HeartbeatKind::kRequest)) return HeartbeatReject::kUnexpected;
  return follow ? OnRequest(now, *heartbeat) : OnAck(now, *heartbeat);
}

ReplayWindow* Heartbeater::WindowOf(const BootId& boot) {
  const auto found = std::ranges::find(seen_, boot, &SeenBoot::boot);
  if (found != seen_.end()) return &found->window;
  SeenBoot& oldest = seen_[next_seen_];
  next_seen_ = (next_seen_ + 1) % kSeenBoots;
  oldest = {.boot = boot, .window = {}};
  return &oldest.window;
}

void Heartbeater::OnOtherTerm(MonoTime now, const Heartbeat& heartbeat) {
  const bool master_went_on = plan_->role == HeartbeatRole::kFollow && heartbeat.kind == HeartbeatKind::kRequest &&
                              heartbeat.term > plan_->term;
  if (master_went_on) {  // it is alive, and holds nothing under the term that we watch
    bound_ = false;
    newest_ = std::max(newest_, heartbeat.sequence);
  }
  if (now < next_stale_) return;
  next_stale_ = now + kStaleInterval;
  emit_({.kind = EventKind::kStaleHeartbeat, .mac = plan_->peer.mac, .term = heartbeat.term});
}

void Heartbeater::NoteArrival(MonoTime now) {
  // After a pause of our own the gap is not the network's.
  if (last_round_ != kNever && now - last_round_ > plan_->max_lease / 2) jitter_.Interrupted();
  jitter_.OnArrival(now);
}

void Heartbeater::SendHeartbeat(const Heartbeat& heartbeat) {
  std::array<uint8_t, kHeartbeatSize> plain;
  WriteHeartbeat(heartbeat, plain);
  const EnvelopeHeader header = {.magic = Be16(kEnvelopeMagic),
                                 .version = kEnvelopeVersion,
                                 .channel = static_cast<uint8_t>(Channel::kHeartbeat),
                                 .key_id = Be32(plan_->send_key.id),
                                 .sender = plan_->self,
                                 .boot = plan_->boot,
                                 .counter = Be64(++counter_),
                                 .salt = salt_()};
  std::array<uint8_t, kEnvelopeOverhead + kHeartbeatSize> sealed;
  SealInto(plan_->send_key.key, header, plain, sealed);
  send_(*plan_, sealed);
}

void Heartbeater::Report(EventKind kind) {
  const Duration lease = plan_->role == HeartbeatRole::kFollow ? bound_lease_ : lease_;
  emit_({.kind = kind, .mac = plan_->peer.mac, .span = lease, .term = plan_->term});
}

MonoTime Heartbeater::NextDeadline() const {
  if (plan_ == nullptr) return kNever;
  switch (plan_->role) {
    case HeartbeatRole::kSilent:
      return kNever;
    case HeartbeatRole::kFollow:
      if (!bound_ || reported_silent_ || clocks_.Differs()) return kNever;
      return reported_suspect_ ? SilentAt() : expiry_ - kVetoLead;
    case HeartbeatRole::kOffer:
      return next_heartbeat_;
    case HeartbeatRole::kLead:
      break;
  }
  const MonoTime watch = !reported_lost_ ? LostAt() : !reported_lapsed_ ? LapsedAt() : kNever;
  return std::min(next_heartbeat_, watch);
}

HeartbeatStatus Heartbeater::status() const {
  HeartbeatStatus status;
  if (plan_ == nullptr || plan_->role == HeartbeatRole::kSilent) return status;
  status.longest_gap = jitter_.longest();
  if (plan_->role == HeartbeatRole::kFollow) {
    if (!bound_) return status;
    status.lease = bound_lease_;
    status.lease_until = expiry_;
    status.clock_ppm = clocks_.measured() ? clocks_.ppm() : 0;
    return status;
  }
  status.lease = lease_;
  status.round_trip = round_trip_;
  if (plan_->role == HeartbeatRole::kLead) status.lease_until = lease_until_;
  return status;
}

// --- Master ---

void Heartbeater::BeginLead(MonoTime now, bool same_peer) {
  lease_ = same_peer ? std::clamp(std::max(lease_, jitter_.Wanted(*plan_)), plan_->min_lease, plan_->max_lease)
                     : jitter_.Wanted(*plan_);
  next_heartbeat_ = now;
  first_of_plan_ = sequence_ + 1;
  window_start_ = now;
  reported_lost_ = reported_lapsed_ = reported_ready_ = false;
}

bool Heartbeater::Bound() const {
  return bound_to_ == BondOf(*plan_) && gate_->Leased(plan_->opening);
}

// The gate goes under lease before the first binding heartbeat leaves: a deputy that may act on our silence does so
// later than this lease ends. It is refused while the gate is shut, opened anew, or bound to another deputy; then no
// binding heartbeat may leave either.
bool Heartbeater::TryBind(MonoTime now) {
  const Bond bond = BondOf(*plan_);
  if (bond == bound_to_) return gate_->Leased(plan_->opening);
  // Leased means: a deputy and an opening.
  QURE_CHECK(bond.role == HeartbeatRole::kLead && bond.opening != 0 && bond.peer != BootId{}, bond.role, bond.opening);
  if (!gate_->Bind(plan_->opening, now + LeaseOf(lease_), lease_)) return false;
  bound_to_ = bond;
  first_of_plan_ = sequence_ + 1;
  window_start_ = now;
  lease_until_ = now + LeaseOf(lease_);
  deputy_until_ = now + lease_;
  reported_lost_ = reported_lapsed_ = false;
  return true;
}

void Heartbeater::SendRequest(MonoTime now) {
  next_heartbeat_ = std::max(next_heartbeat_ + plan_->interval, now + plan_->interval / 2);  // none are made up for
  const bool binding = plan_->role == HeartbeatRole::kLead;
  if (binding && !TryBind(now)) return;
  if (const GateMarks marks = gate_->marks(); marks != marks_at_heartbeat_) {
    marks_at_heartbeat_ = marks;
    first_after_mark_ = sequence_ + 1;
  }
  SendHeartbeat({.kind = HeartbeatKind::kRequest,
                 .binding = binding,
                 .to = plan_->peer.boot,
                 .term = plan_->term,
                 .sequence = ++sequence_,
                 .sent_at = now,
                 .lease = lease_,
                 .control_liveness = gate_->control_liveness()});
  ++counters_.heartbeats_sent;
}

HeartbeatReject Heartbeater::OnAck(MonoTime now, const Heartbeat& ack) {
  if (ack.sequence > sequence_ || ack.sent_at > now) return HeartbeatReject::kUnexpected;
  ++counters_.acks_received;
  if (ack.sequence < first_of_plan_) return HeartbeatReject::kNone;
  NoteArrival(now);
  round_trip_ = now - ack.sent_at;
  lease_ = std::clamp(std::max(ack.wanted_lease, jitter_.Wanted(*plan_)), plan_->min_lease, plan_->max_lease);
  if (plan_->role == HeartbeatRole::kLead) {
    Renew(now, ack);
  } else if (ack.ready && !reported_ready_) {
    reported_ready_ = true;
    Report(EventKind::kDeputyReady);
  }
  return HeartbeatReject::kNone;
}

void Heartbeater::Renew(MonoTime now, const Heartbeat& ack) {
  if (!Bound()) return;
  const Duration lease = std::min(ack.lease, plan_->max_lease);
  const MonoTime from = Mutated(Mutation::kLeaseFromAckTime) ? now : ack.sent_at;
  const MonoTime until = from + LeaseOf(lease);
  gate_->Extend(until, lease, ack.sequence >= first_after_mark_ ? marks_at_heartbeat_ : GateMarks{});
  lease_until_ = std::max(lease_until_, until);
  deputy_until_ = std::max(deputy_until_, from + lease);
  window_start_ = std::max(window_start_, ack.sent_at);
  if (!reported_lost_ || !gate_->MayTransmit(now)) return;
  reported_lost_ = reported_lapsed_ = false;
  Report(EventKind::kLeaseRenewed);
}

MonoTime Heartbeater::LostAt() const {
  return std::max(lease_until_, window_start_ + LeaseOf(lease_));
}

// By then a deputy that received the last acknowledged heartbeat has acted, and its messages had 3/4 D to reach us.
MonoTime Heartbeater::LapsedAt() const {
  return std::max(window_start_ + lease_, deputy_until_) + LeaseOf(lease_);
}

void Heartbeater::WatchLease(MonoTime now) {
  if (!reported_lost_ && now >= LostAt()) {
    reported_lost_ = true;
    Report(EventKind::kLeaseLost);
  }
  if (reported_lost_ && !reported_lapsed_ && now >= LapsedAt()) {
    reported_lapsed_ = true;
    Report(EventKind::kLeaseLapsed);
  }
}

// --- Deputy ---

void Heartbeater::BeginFollow(MonoTime now) {
  if (watched_ != plan_->term) {
    watched_ = plan_->term;
    expiry_ = {};
    bound_lease_ = {};
    newest_ = 0;
    control_liveness_ = 0;
  }
  // Silence means nothing under a plan under which no heartbeat came: only a new one binds again.
  bound_ = false;
  control_seen_ = now;
  reported_suspect_ = reported_silent_ = false;
}

// Acknowledging and waiting are one: whatever is acknowledged has moved `expiry_` to D from now, and whatever must not
// move it (a hung control thread at the master, a term given up, a mastership of our own) is not acknowledged. The
// master's lease rests on this alone.
HeartbeatReject Heartbeater::OnRequest(MonoTime now, const Heartbeat& heartbeat) {
  if (gate_->mode() != GateMode::kShut) return HeartbeatReject::kUnexpected;
  if (given_up_ == watched_) return HeartbeatReject::kUnexpected;
  ++counters_.heartbeats_received;
  if (heartbeat.sequence <= newest_) return HeartbeatReject::kNone;  // overtaken: a newer one has been acknowledged
  newest_ = heartbeat.sequence;
  NoteArrival(now);
  clocks_.OnHeartbeat(now, heartbeat.sent_at);
  ReportClocks();
  if (!heartbeat.binding) bound_ = false;
  if (!MasterControlLives(now, heartbeat.control_liveness)) return HeartbeatReject::kNone;
  if (heartbeat.binding) {
    const MonoTime until = now + clocks_.Wait(heartbeat.lease);
    bound_ = true;
    bound_lease_ = heartbeat.lease;
    expiry_ = Mutated(Mutation::kExpiryMovesBack) ? until : std::max(expiry_, until);
  }
  if (std::exchange(reported_suspect_, false)) Report(EventKind::kMasterBack);
  const bool was_deputy = expiry_ != MonoTime{};  // of this term: an offer releases it, whatever its clock
  SendHeartbeat({.kind = HeartbeatKind::kAck,
                 .ready = plan_->ready && (clocks_.Fits() || was_deputy),
                 .to = plan_->peer.boot,
                 .term = heartbeat.term,
                 .sequence = heartbeat.sequence,
                 .sent_at = heartbeat.sent_at,
                 .lease = heartbeat.lease,
                 .wanted_lease = jitter_.Wanted(*plan_)});
  ++counters_.acks_sent;
  return HeartbeatReject::kNone;
}

bool Heartbeater::MasterControlLives(MonoTime now, uint64_t liveness) {
  if (liveness > control_liveness_) {
    control_liveness_ = liveness;
    control_seen_ = now;
  }
  return now - control_seen_ <= kControlDeath;
}

void Heartbeater::ReportClocks() {
  if (clocks_.Differs() == reported_differ_) return;
  reported_differ_ = !reported_differ_;
  emit_({.kind = reported_differ_ ? EventKind::kClocksDiffer : EventKind::kClocksAgree,
         .mac = plan_->peer.mac,
         .ppm = clocks_.ppm(),
         .term = plan_->term});
}

MonoTime Heartbeater::SilentAt() const {
  return std::max(expiry_, suspected_at_ + kVetoLead);
}

void Heartbeater::WatchMaster(MonoTime now, Duration gap, bool emptied) {
  // By clocks that differ so much nobody knows when the master has stopped: others elect.
  if (!bound_ || reported_silent_ || clocks_.Differs()) return;
  if (gap > bound_lease_ / 3 && !Mutated(Mutation::kDeputyIgnoresOwnStall)) {
    expiry_ = std::max(expiry_, now + clocks_.Wait(bound_lease_));
  }
  if (!reported_suspect_ && now >= expiry_ - kVetoLead) {
    reported_suspect_ = true;
    suspected_at_ = now;
    Report(EventKind::kMasterSuspect);
  }
  if (!reported_suspect_ || now < SilentAt() || !(emptied || Mutated(Mutation::kDeputyDoesNotDrain))) return;
  reported_silent_ = true;
  given_up_ = watched_;
  emit_(
      {.kind = EventKind::kMasterSilent, .mac = plan_->peer.mac, .span = bound_lease_, .at = now, .term = plan_->term});
}

}  // namespace qure
