#include "control/core/crowds.h"

#include <algorithm>

#include "control/core/timers.h"

namespace qure {

void Crowds::OnSighting(MonoTime now, const RemoteAddress& remote, bool many) {
  const auto known = seen_.find(remote);
  if (known != seen_.end()) {
    known->second = now;
  } else if (many && seen_.size() < kMaxCrowds) {
    seen_.emplace(remote, now);
  }
}

void Crowds::Adopt(MonoTime now, const std::set<RemoteAddress>& crowds) {
  seen_.clear();
  for (const RemoteAddress& crowd : crowds) seen_.emplace(crowd, now);
}

std::set<RemoteAddress> Crowds::At(MonoTime now) {
  std::erase_if(seen_, [&](const auto& entry) { return now - entry.second >= kCrowdQuiet; });
  std::set<RemoteAddress> crowds;
  for (const auto& [remote, seen] : seen_) crowds.insert(remote);
  return crowds;
}

MonoTime Crowds::deadline() const {
  MonoTime next = kNever;
  for (const auto& [remote, seen] : seen_) next = std::min(next, seen + kCrowdQuiet);
  return next;
}

}  // namespace qure
