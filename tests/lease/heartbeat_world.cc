#include "tests/lease/heartbeat_world.h"

#include <algorithm>
#include <sstream>

namespace qure {

namespace {

constexpr size_t kWorldBurst = 8;

HeartbeatPlan WithTerm(HeartbeatPlan plan, uint64_t epoch) {
  plan.term.epoch = epoch;
  plan.opening = epoch;
  return plan;
}

}  // namespace

HeartbeatWorld::HeartbeatWorld(uint64_t seed) : random_(seed) {
  hides_ = seed % 2 == 1;
  const double error = hides_ ? 0.02 : 0.1;
  std::uniform_real_distribution<double> rate(1 - error, 1 + error);
  master_.rate = rate(random_);
  deputy_.rate = rate(random_);
  if (seed % 4 == 0) {  // the worst: a slow master, a fast deputy
    master_.rate = 1 - error;
    deputy_.rate = 1 + error;
  }
  loss_ = Chance(0.5) ? 0 : std::uniform_real_distribution<double>(0, 0.5)(random_);
  delay_ = Between(Microseconds(20), Milliseconds(Chance(0.3) ? 12 : 2));
  jitter_ = Between({}, Milliseconds(Chance(0.3) ? 20 : 1));
  pause_ = Chance(0.3) ? 0 : std::uniform_real_distribution<double>(0, 0.002)(random_);
  master_.next = now_;
  deputy_.next = now_ + Between({}, Milliseconds(1));
  BeginTerm();
}

WorldResult HeartbeatWorld::Run(Duration span) {
  const MonoTime end = now_ + span;
  while (now_ < end && result_.violation.empty()) {
    const bool master_first = master_.next < deputy_.next;
    Side* const side = master_first ? &master_ : &deputy_;
    now_ = std::max(now_, side->next);
    Control();
    Step(side, master_first ? &deputy_ : &master_);
    OnEvents();
    Check();
  }
  return result_;
}

void HeartbeatWorld::BeginTerm() {
  ++epoch_;
  silent_ = false;
  end_of_term_ = kNever;
  master_.node.OpenSolo(master_.Clock(now_), epoch_);
  HeartbeatPlan lead = WithTerm(master_.node.MakePlan(HeartbeatRole::kLead, deputy_.node), epoch_);
  lead.first_lease = AnyLease();
  master_.node.Publish(lead);
  deputy_.node.Publish(WithTerm(deputy_.node.MakePlan(HeartbeatRole::kFollow, master_.node), epoch_));
}

void HeartbeatWorld::Control() {
  if (now_ < next_control_) return;
  next_control_ = now_ + Between(Milliseconds(5), Milliseconds(60));
  if (now_ >= hung_until_) {
    master_.node.gate.NoteControlAlive(master_.Clock(now_));
    if (Chance(0.002)) hung_until_ = now_ + Between(Milliseconds(500), Seconds(2));
  }
  if (now_ >= end_of_term_) return BeginTerm();
  if (end_of_term_ == kNever && Chance(0.01)) end_of_term_ = now_ + Milliseconds(200);
  for (MonoTime& until : cut_until_) {
    if (Chance(0.04)) until = now_ + Between({}, Milliseconds(300));
  }
  if (Chance(0.1)) {  // another D
    HeartbeatPlan plan = *master_.node.plan;
    plan.min_lease = AnyLease();
    master_.node.Publish(plan);
  }
  if (Chance(deputy_.node.plan->role == HeartbeatRole::kFollow ? 0.01
                                                               : 0.5)) {  // the deputy's plan goes and comes back
    HeartbeatPlan plan = *deputy_.node.plan;
    plan.role = plan.role == HeartbeatRole::kFollow ? HeartbeatRole::kSilent : HeartbeatRole::kFollow;
    deputy_.node.Publish(plan);
  }
  if (Chance(0.1)) Flood();
}

Duration HeartbeatWorld::AnyLease() {
  return Between(Milliseconds(10), Milliseconds(Chance(0.2) ? 200 : 25));
}

// More frames for the deputy than it gets done.
void HeartbeatWorld::Flood() {
  for (int i = 0; i < 1'000; ++i) deputy_.inbox.push_back({now_ + Between({}, Milliseconds(40)), {}});
}

void HeartbeatWorld::Step(Side* side, Side* other) {
  Node& node = side->node;
  const MonoTime clock = side->Clock(now_);
  side->next = now_ + Microseconds(1);
  switch (side->phase) {
    case Phase::kBegin:
      side->stall = node.guard.Round(clock, side->Tsc(now_));
      node.heartbeater.Use(clock, node.plan);
      side->phase = Phase::kReceive;
      break;
    case Phase::kReceive:
      Receive(side);
      side->phase = Phase::kHeartbeater;
      break;
    case Phase::kHeartbeater: {
      const Duration third = node.heartbeater.status().lease / 3;
      if (side->stall > Duration{} || clock - side->last_loop > third) side->stood_still = clock;
      side->last_loop = clock;
      side->deadline = node.heartbeater.NextDeadline();
      node.heartbeater.Round(clock, node.plan, side->stall, side->emptied >= side->deadline);
      side->phase = Phase::kTransmit;
      break;
    }
    case Phase::kTransmit:
      if (side == &master_) {
        ++result_.rounds;
        result_.open_rounds += node.MayTransmit(clock) ? 1 : 0;
      }
      side->phase = Phase::kBegin;
      side->next = now_ + Between(Microseconds(50), Milliseconds(1));
      break;
  }
  Send(side, other);
  if (Chance(pause_)) Pause(side);
}

void HeartbeatWorld::Receive(Side* side) {
  std::ranges::sort(side->inbox, {}, &Flight::arrival);
  const MonoTime before = side->Clock(now_);
  size_t taken = 0;
  while (taken < side->inbox.size() && taken < kWorldBurst && side->inbox[taken].arrival <= now_) {
    side->node.heartbeater.Receive(before, side->inbox[taken++].datagram);
  }
  side->inbox.erase(side->inbox.begin(), side->inbox.begin() + static_cast<ptrdiff_t>(taken));
  if (side->inbox.empty() || side->inbox.front().arrival > now_) side->emptied = before;
}

void HeartbeatWorld::Send(Side* from, Side* to) {
  for (Sealed& datagram : from->node.Take()) {
    if (now_ < cut_until_[from == &master_ ? 0 : 1] || Chance(loss_)) continue;
    const Duration spike = Chance(0.01) ? Between({}, Milliseconds(60)) : Duration{};
    to->inbox.push_back({now_ + delay_ + Between({}, jitter_) + spike, std::move(datagram)});
  }
}

void HeartbeatWorld::Pause(Side* side) {
  const Duration length = Between(Milliseconds(1), Milliseconds(Chance(0.3) ? 400 : 40));
  side->next = side->next + length;
  if (hides_ && side == &master_ && now_ - last_hidden_ > Milliseconds(300)) {  // no two in one lease
    side->hidden = side->hidden + length;
    last_hidden_ = now_;
  }
  // A machine that does not run loses what comes in the meantime.
  if (!Chance(0.5)) return;
  std::erase_if(side->inbox, [&](const Flight& flight) { return flight.arrival < side->next; });
}

void HeartbeatWorld::OnEvents() {
  for (const Event& event : std::exchange(master_.node.events, {})) {
    if (event.kind == EventKind::kLeaseRenewed) ++result_.renewals;
    if (event.kind == EventKind::kLeaseLapsed && end_of_term_ == kNever) end_of_term_ = now_ + Milliseconds(300);
  }
  for (const Event& event : std::exchange(deputy_.node.events, {})) {
    if (event.kind == EventKind::kMasterSilent) OnSilence();
  }
}

void HeartbeatWorld::OnSilence() {
  ++result_.silences;
  silent_ = true;
  if (end_of_term_ == kNever) end_of_term_ = now_ + Milliseconds(300);
  const MonoTime clock = deputy_.Clock(now_);
  if (clock - deputy_.stood_still < Milliseconds(9)) Violate("silence after a pause of the deputy's own");
  if (HeartbeatWaits()) Violate("silence with a heartbeat in the receive queue");
}

// One that came before the deputy's patience ended.
bool HeartbeatWorld::HeartbeatWaits() const {
  return std::ranges::any_of(deputy_.inbox, [&](const Flight& flight) {
    return !flight.datagram.empty() && flight.arrival <= now_ && deputy_.Clock(flight.arrival) < deputy_.deadline;
  });
}

void HeartbeatWorld::Check() {
  if (silent_ && master_.node.guard.MayTransmit(master_.Clock(now_), master_.Tsc(now_))) {
    Violate("the master may transmit after the deputy has called it silent");
  }
}

void HeartbeatWorld::Violate(const std::string& what) {
  if (!result_.violation.empty()) return;
  std::ostringstream text;
  text << what << " at " << (now_ - kStart).ns / 1'000 << " us in epoch " << epoch_;
  result_.violation = text.str();
}

}  // namespace qure
