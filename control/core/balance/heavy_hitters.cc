#include "control/core/balance/heavy_hitters.h"

#include <algorithm>

#include "control/core/timers.h"

namespace qure {

void HeavyHitters::OnSighting(MonoTime now, const RemoteAddress& remote, bool many) {
  const auto known = seen_.find(remote);
  if (known != seen_.end()) {
    known->second = now;
  } else if (many && seen_.size() < kMaxHeavyHitters) {
    seen_.emplace(remote, now);
  }
}

void HeavyHitters::Adopt(MonoTime now, const std::set<RemoteAddress>& heavy_hitters) {
  seen_.clear();
  for (const RemoteAddress& heavy_hitter : heavy_hitters) seen_.emplace(heavy_hitter, now);
}

std::set<RemoteAddress> HeavyHitters::At(MonoTime now) {
  std::erase_if(seen_, [&](const auto& entry) { return now - entry.second >= kHeavyHitterQuiet; });
  std::set<RemoteAddress> heavy_hitters;
  for (const auto& [remote, seen] : seen_) heavy_hitters.insert(remote);
  return heavy_hitters;
}

MonoTime HeavyHitters::deadline() const {
  MonoTime next = kNever;
  for (const auto& [remote, seen] : seen_) next = std::min(next, seen + kHeavyHitterQuiet);
  return next;
}

}  // namespace qure
