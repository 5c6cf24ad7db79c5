#include "control/core/cluster/lifetime.h"

#include <algorithm>
#include <utility>

#include "absl/random/distributions.h"
#include "control/core/timers.h"
#include "proto/check.h"
#include "proto/mutation.h"

namespace qure {

Lifetime::Lifetime(const StoredLife& stored, absl::BitGenRef random, MonoTime now, bool alone)
    : random_(random),
      alone_(alone),
      life_(stored),
      since_(now),
      listen_until_(now),
      found_by_(now),
      prove_by_(now),
      greatest_era_(stored.era) {
  if (alone) return;
  ListenUntil(now + kListen + Duration{absl::Uniform<int64_t>(absl::IntervalClosed, random_, 0, kListenJitter.ns)});
}

void Lifetime::ListenUntil(MonoTime until) {
  listen_until_ = until;
  found_by_ = until + kFoundAnyway;
  prove_by_ = until + kListenLonger;
}

LifeChange Lifetime::OnHello(MonoTime now, const wire::Hello& hello) {
  if (hello.era() >= kEraLimit || hello.uptime_ms() >= kUptimeLimitMs) return LifeChange::kNone;
  greatest_era_ = std::max(greatest_era_, hello.era());
  const StoredLife theirs{.era = hello.era(), .lineage = hello.lineage(), .uptime_ms = hello.uptime_ms()};
  if (theirs.lineage == 0) return LifeChange::kNone;
  if (hello.booting()) {
    const auto weight = [](const StoredLife& life) { return std::pair(life.uptime_ms, life.lineage); };
    if (weight(theirs) > weight(booting_best_)) booting_best_ = theirs;
    return LifeChange::kNone;
  }
  if (theirs.era == 0) return LifeChange::kNone;

  const bool joins = booting_;
  const StoredLife own = Stored(now);
  StoredLife next = own;
  next.era = std::max(own.era, theirs.era);
  if (theirs.lineage == own.lineage) {
    next.uptime_ms = std::max(own.uptime_ms, theirs.uptime_ms);
  } else if (Yields(now, own, theirs)) {
    next.lineage = theirs.lineage;
    next.uptime_ms = theirs.uptime_ms;
  }
  // Not at each HELLO: what is less than a millisecond would be lost each time, and the uptime would lag.
  if (joins || next != own) Begin(now, next);
  if (joins) return LifeChange::kJoined;
  return next.era == own.era && next.lineage == own.lineage ? LifeChange::kNone : LifeChange::kMerged;
}

// Both sides have to come to the same end, each by its own look at two clocks that go on. A difference beside the limit
// of a tie can look to each as if it had won; if that lasts, the id decides after all.
bool Lifetime::Yields(MonoTime now, const StoredLife& own, const StoredLife& theirs) {
  if (own.lineage == 0) return true;
  const bool longer = theirs.uptime_ms > own.uptime_ms;
  const uint64_t difference = longer ? theirs.uptime_ms - own.uptime_ms : own.uptime_ms - theirs.uptime_ms;
  const bool by_id = theirs.lineage > own.lineage;
  if (difference + kUptimeDoubtMs < kUptimeTieMs) return by_id;
  if (difference > kUptimeTieMs + kUptimeDoubtMs) return longer;
  if (!disputed_since_) disputed_since_ = now;
  if (now - *disputed_since_ > kDispute) return by_id;
  return difference < kUptimeTieMs ? by_id : longer;
}

// The listening is over, but silence means nothing yet.
bool Lifetime::MustListen(MonoTime now, const Membership& members, const Rank& own_rank, bool unproven) {
  if (alone_) return false;
  // This node stood still, and heard nothing meanwhile.
  if (!listened_again_ && now - listen_until_ > kListen) {
    listened_again_ = true;
    ListenUntil(now + kListen);
    return true;
  }
  if (unproven && now < prove_by_ && !Mutated(Mutation::kFoundBesideUnproven)) {
    listen_until_ = std::min(now + kBootHelloInterval, prove_by_);
    return true;
  }
  const bool better = std::ranges::any_of(members.all(), [&](const auto& entry) {
    const Member& member = entry.second;
    return member.present() && member.hello.booting() && own_rank < member.rank();
  });
  if (!better || now >= found_by_) return false;
  listen_until_ = std::min(now + kBootHelloInterval, found_by_);  // it will begin; if it dies before, it is found dead
  return true;
}

LifeChange Lifetime::Tick(MonoTime now, const Membership& members, const Rank& own_rank, bool unproven) {
  if (!booting_ || now < listen_until_ || MustListen(now, members, own_rank, unproven)) return LifeChange::kNone;
  StoredLife next = life_;
  next.era = greatest_era_ + 1;
  const auto weight = [](const StoredLife& life) { return std::pair(life.uptime_ms, life.lineage); };
  if (next.lineage == 0 || (booting_best_.lineage != 0 && weight(booting_best_) > weight(next))) {
    next.lineage = booting_best_.lineage;
    next.uptime_ms = booting_best_.uptime_ms;
  }
  while (next.lineage == 0) next.lineage = absl::Uniform<uint64_t>(random_);
  Begin(now, next);
  return LifeChange::kFounded;
}

void Lifetime::Begin(MonoTime now, const StoredLife& life) {
  QURE_CHECK(life.era != 0 && life.era >= life_.era, life.era, life_.era);
  QURE_CHECK(life.lineage != 0, life.era);
  QURE_CHECK(life.lineage != life_.lineage || life.uptime_ms >= UptimeMs(now), life.uptime_ms, UptimeMs(now));
  if (life.lineage != life_.lineage) disputed_since_.reset();
  life_ = life;
  booting_ = false;
  since_ = now;
}

MonoTime Lifetime::deadline() const {
  return booting_ ? listen_until_ : kNever;
}

uint64_t Lifetime::UptimeMs(MonoTime now) const {
  if (booting_) return life_.uptime_ms;
  return life_.uptime_ms + static_cast<uint64_t>((now - since_).ns / Milliseconds(1).ns);
}

StoredLife Lifetime::Stored(MonoTime now) const {
  return {.era = life_.era, .lineage = life_.lineage, .uptime_ms = UptimeMs(now)};
}

}  // namespace qure
