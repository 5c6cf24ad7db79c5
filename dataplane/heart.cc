#include "dataplane/heart.h"

#include <algorithm>
#include <utility>

#include "proto/mutation.h"

namespace qure {

namespace {

constexpr Duration LeaseOf(Duration d) {
  return d * 3 / 4;
}

}  // namespace

Heart::Heart(LeaseGate* gate, Send send, Salt salt, Emit emit)
    : gate_(gate), send_(std::move(send)), salt_(std::move(salt)), emit_(std::move(emit)) {}

Heart::Bond Heart::BondOf(const HeartPlan& plan) {
  return {.role = plan.role,
          .term = plan.term,
          .opening = plan.role == HeartRole::kLead ? plan.opening : 0,
          .peer = plan.peer.boot};
}

void Heart::Use(MonoTime now, const std::shared_ptr<const HeartPlan>& plan) {
  if (plan == plan_) return;
  const Bond before = plan_ == nullptr ? Bond{} : BondOf(*plan_);
  plan_ = plan;
  if (plan_ != nullptr && BondOf(*plan_) == before) return;  // other keys, readiness or limits: the same goes on
  next_beat_ = kNever;
  if (before.role == HeartRole::kSilent) last_round_ = kNever;  // a worker need not call Round while it is silent
  if (plan_ == nullptr || plan_->role == HeartRole::kSilent) return;
  const bool same_peer = plan_->peer.boot == jitter_of_;
  if (!same_peer) jitter_ = {};
  jitter_.Interrupted();
  jitter_of_ = plan_->peer.boot;
  if (plan_->role == HeartRole::kFollow) {
    BeginFollow(now);
  } else {
    BeginLead(now, same_peer);
  }
}

void Heart::Round(MonoTime now, const std::shared_ptr<const HeartPlan>& plan, Duration stall, bool drained) {
  Use(now, plan);
  const Duration gap = std::max(stall, last_round_ == kNever ? Duration{} : now - last_round_);
  last_round_ = now;
  if (plan_ == nullptr || plan_->role == HeartRole::kSilent) return;
  if (gap > plan_->max_lease / 2) jitter_.Interrupted();
  if (plan_->role == HeartRole::kFollow) return WatchMaster(now, gap, drained);
  // What waits in the queue is heard before silence is complained of.
  if (stall > Duration{}) window_start_ = now;
  if (now >= next_beat_) SendBeat(now);
  if (plan_->role == HeartRole::kLead) WatchLease(now);
}

HeartReject Heart::Receive(MonoTime now, ConstBytes datagram) {
  const HeartReject reject = Accept(now, datagram);
  if (reject != HeartReject::kNone) ++counters_.rejected[static_cast<size_t>(reject)];
  return reject;
}

HeartReject Heart::Accept(MonoTime now, ConstBytes datagram) {
  if (plan_ == nullptr || plan_->role == HeartRole::kSilent) return HeartReject::kUnexpected;
  const EnvelopeHeader* header = PeekEnvelope(datagram);
  if (header == nullptr || header->channel != static_cast<uint8_t>(Channel::kHeartbeat) ||
      datagram.size() != kEnvelopeOverhead + kHeartbeatSize) {
    return HeartReject::kMalformed;
  }
  const HeartPeer& peer = plan_->peer;
  if (header->sender != peer.node || header->boot != peer.boot) return HeartReject::kUnexpected;
  const auto key = std::ranges::find(peer.keys, header->key_id.value(), &HeartKey::id);
  std::array<uint8_t, kHeartbeatSize> plain;
  if (key == peer.keys.end() || !Unseal(key->key, datagram, plain)) return HeartReject::kUnauthentic;
  if (!WindowOf(peer.boot)->Accept(header->counter.value())) return HeartReject::kReplayed;
  const std::optional<Heartbeat> heartbeat = ReadHeartbeat(plain);
  if (!heartbeat) return HeartReject::kMalformed;
  if (heartbeat->to != plan_->boot) return HeartReject::kUnexpected;
  if (heartbeat->term != plan_->term) {
    OnOtherTerm(now, *heartbeat);
    return HeartReject::kOtherTerm;
  }
  const bool follow = plan_->role == HeartRole::kFollow;
  if (follow != (heartbeat->kind == HeartbeatKind::kBeat)) return HeartReject::kUnexpected;
  return follow ? OnBeat(now, *heartbeat) : OnAck(now, *heartbeat);
}

ReplayWindow* Heart::WindowOf(const BootId& boot) {
  const auto found = std::ranges::find(seen_, boot, &SeenBoot::boot);
  if (found != seen_.end()) return &found->window;
  SeenBoot& oldest = seen_[next_seen_];
  next_seen_ = (next_seen_ + 1) % kSeenBoots;
  oldest = {.boot = boot, .window = {}};
  return &oldest.window;
}

void Heart::OnOtherTerm(MonoTime now, const Heartbeat& heartbeat) {
  const bool master_went_on =
      plan_->role == HeartRole::kFollow && heartbeat.kind == HeartbeatKind::kBeat && heartbeat.term > plan_->term;
  if (master_went_on) {  // it lives, and holds nothing under the term that we watch
    bound_ = false;
    newest_ = std::max(newest_, heartbeat.sequence);
  }
  if (now < next_stale_) return;
  next_stale_ = now + kStaleInterval;
  emit_({.kind = EventKind::kStaleBeat, .mac = plan_->peer.mac, .term = heartbeat.term});
}

void Heart::NoteArrival(MonoTime now) {
  // After a pause of our own the gap says nothing about the network.
  if (last_round_ != kNever && now - last_round_ > plan_->max_lease / 2) jitter_.Interrupted();
  jitter_.OnArrival(now);
}

void Heart::SendHeartbeat(const Heartbeat& heartbeat) {
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

void Heart::Tell(EventKind kind) {
  emit_({.kind = kind, .mac = plan_->peer.mac, .term = plan_->term});
}

MonoTime Heart::NextDeadline() const {
  if (plan_ == nullptr) return kNever;
  switch (plan_->role) {
    case HeartRole::kSilent:
      return kNever;
    case HeartRole::kFollow:
      if (!bound_ || told_silent_) return kNever;
      return told_suspect_ ? SilentAt() : expiry_ - kVetoLead;
    case HeartRole::kOffer:
      return next_beat_;
    case HeartRole::kLead:
      break;
  }
  const MonoTime watch = !told_lost_ ? LostAt() : !told_lapsed_ ? LapsedAt() : kNever;
  return std::min(next_beat_, watch);
}

HeartStatus Heart::status() const {
  HeartStatus status;
  if (plan_ == nullptr || plan_->role == HeartRole::kSilent) return status;
  status.longest_gap = jitter_.longest();
  if (plan_->role == HeartRole::kFollow) {
    if (!bound_) return status;
    status.lease = bound_lease_;
    status.lease_until = expiry_;
    return status;
  }
  status.lease = lease_;
  status.round_trip = round_trip_;
  if (plan_->role == HeartRole::kLead) status.lease_until = lease_until_;
  return status;
}

// --- Master ---

void Heart::BeginLead(MonoTime now, bool same_peer) {
  lease_ = same_peer ? std::clamp(std::max(lease_, jitter_.Wanted(*plan_)), plan_->min_lease, plan_->max_lease)
                     : jitter_.Wanted(*plan_);
  next_beat_ = now;
  first_of_plan_ = sequence_ + 1;
  window_start_ = now;
  told_lost_ = told_lapsed_ = told_ready_ = false;
}

bool Heart::Bound() const {
  return bound_to_ == BondOf(*plan_) && gate_->Leased(plan_->opening);
}

// The gate goes under lease before the first binding beat leaves: whoever may act on our silence does so later than
// this lease ends. It is refused while the gate is shut, opened anew, or bound to another deputy; then no binding beat
// may leave either.
bool Heart::TryBind(MonoTime now) {
  const Bond bond = BondOf(*plan_);
  if (bond == bound_to_) return gate_->Leased(plan_->opening);
  if (!gate_->Bind(plan_->opening, now + LeaseOf(lease_), lease_)) return false;
  bound_to_ = bond;
  first_of_plan_ = sequence_ + 1;
  window_start_ = now;
  lease_until_ = now + LeaseOf(lease_);
  deputy_until_ = now + lease_;
  told_lost_ = told_lapsed_ = false;
  return true;
}

void Heart::SendBeat(MonoTime now) {
  next_beat_ = std::max(next_beat_ + plan_->interval, now + plan_->interval / 2);  // none are made up for
  const bool binding = plan_->role == HeartRole::kLead;
  if (binding && !TryBind(now)) return;
  if (const uint64_t stalls = gate_->stalls(); stalls != stalls_at_beat_) {
    stalls_at_beat_ = stalls;
    first_after_stall_ = sequence_ + 1;
  }
  SendHeartbeat({.kind = HeartbeatKind::kBeat,
                 .binding = binding,
                 .to = plan_->peer.boot,
                 .term = plan_->term,
                 .sequence = ++sequence_,
                 .sent_at = now,
                 .lease = lease_,
                 .control_beats = gate_->control_beats()});
  ++counters_.beats_sent;
}

HeartReject Heart::OnAck(MonoTime now, const Heartbeat& ack) {
  if (ack.sequence > sequence_ || ack.sent_at > now) return HeartReject::kUnexpected;
  ++counters_.acks_received;
  if (ack.sequence < first_of_plan_) return HeartReject::kNone;
  NoteArrival(now);
  round_trip_ = now - ack.sent_at;
  lease_ = std::clamp(std::max(ack.wanted_lease, jitter_.Wanted(*plan_)), plan_->min_lease, plan_->max_lease);
  if (plan_->role == HeartRole::kLead) {
    Renew(now, ack);
  } else if (ack.ready && !told_ready_) {
    told_ready_ = true;
    Tell(EventKind::kDeputyReady);
  }
  return HeartReject::kNone;
}

void Heart::Renew(MonoTime now, const Heartbeat& ack) {
  if (!Bound()) return;
  const Duration lease = std::min(ack.lease, plan_->max_lease);
  const MonoTime from = Mutated(Mutation::kLeaseFromAckTime) ? now : ack.sent_at;
  const MonoTime until = from + LeaseOf(lease);
  gate_->Extend(until, lease, ack.sequence >= first_after_stall_ ? stalls_at_beat_ : 0);
  lease_until_ = std::max(lease_until_, until);
  deputy_until_ = std::max(deputy_until_, from + lease);
  window_start_ = std::max(window_start_, ack.sent_at);
  if (!told_lost_ || !gate_->MayTransmit(now)) return;
  told_lost_ = told_lapsed_ = false;
  Tell(EventKind::kLeaseRenewed);
}

MonoTime Heart::LostAt() const {
  return std::max(lease_until_, window_start_ + LeaseOf(lease_));
}

// By then a deputy that heard the last acknowledged beat has acted, and 3/4 D was left for us to hear of it.
MonoTime Heart::LapsedAt() const {
  return std::max(window_start_ + lease_, deputy_until_) + LeaseOf(lease_);
}

void Heart::WatchLease(MonoTime now) {
  if (!told_lost_ && now >= LostAt()) {
    told_lost_ = true;
    Tell(EventKind::kLeaseLost);
  }
  if (told_lost_ && !told_lapsed_ && now >= LapsedAt()) {
    told_lapsed_ = true;
    Tell(EventKind::kLeaseLapsed);
  }
}

// --- Deputy ---

void Heart::BeginFollow(MonoTime now) {
  if (watched_ != plan_->term) {
    watched_ = plan_->term;
    expiry_ = {};
    bound_lease_ = {};
    newest_ = 0;
    control_beats_ = 0;
  }
  // Seen from a plan under which nothing was heard, silence means nothing: only a new beat binds again.
  bound_ = false;
  control_seen_ = now;
  told_suspect_ = told_silent_ = false;
}

// Acknowledging and waiting are one: whatever is acknowledged has moved `expiry_` to D from now, and whatever must not
// move it (a hung control thread at the master, a term given up, a mastership of our own) is not acknowledged. The
// master's lease rests on this alone.
HeartReject Heart::OnBeat(MonoTime now, const Heartbeat& beat) {
  if (gate_->mode() != GateMode::kShut) return HeartReject::kUnexpected;
  if (given_up_ == watched_) return HeartReject::kUnexpected;
  ++counters_.beats_received;
  if (beat.sequence <= newest_) return HeartReject::kNone;  // overtaken: a newer one has been acknowledged
  newest_ = beat.sequence;
  NoteArrival(now);
  if (!beat.binding) bound_ = false;
  if (!MasterControlLives(now, beat.control_beats)) return HeartReject::kNone;
  if (beat.binding) {
    const MonoTime until = now + beat.lease;
    bound_ = true;
    bound_lease_ = beat.lease;
    expiry_ = Mutated(Mutation::kExpiryMovesBack) ? until : std::max(expiry_, until);
  }
  if (std::exchange(told_suspect_, false)) Tell(EventKind::kMasterBack);
  SendHeartbeat({.kind = HeartbeatKind::kAck,
                 .ready = plan_->ready,
                 .to = plan_->peer.boot,
                 .term = beat.term,
                 .sequence = beat.sequence,
                 .sent_at = beat.sent_at,
                 .lease = beat.lease,
                 .wanted_lease = jitter_.Wanted(*plan_)});
  ++counters_.acks_sent;
  return HeartReject::kNone;
}

bool Heart::MasterControlLives(MonoTime now, uint64_t beats) {
  if (beats > control_beats_) {
    control_beats_ = beats;
    control_seen_ = now;
  }
  return now - control_seen_ <= kControlDeath;
}

MonoTime Heart::SilentAt() const {
  return std::max(expiry_, suspected_at_ + kVetoLead);
}

void Heart::WatchMaster(MonoTime now, Duration gap, bool drained) {
  if (!bound_ || told_silent_) return;
  if (gap > bound_lease_ / 3 && !Mutated(Mutation::kDeputyIgnoresOwnStall)) {
    expiry_ = std::max(expiry_, now + bound_lease_);
  }
  if (!told_suspect_ && now >= expiry_ - kVetoLead) {
    told_suspect_ = true;
    suspected_at_ = now;
    Tell(EventKind::kMasterSuspect);
  }
  if (!told_suspect_ || now < SilentAt() || !(drained || Mutated(Mutation::kDeputyDoesNotDrain))) return;
  told_silent_ = true;
  given_up_ = watched_;
  emit_(
      {.kind = EventKind::kMasterSilent, .mac = plan_->peer.mac, .span = bound_lease_, .at = now, .term = plan_->term});
}

}  // namespace qure
