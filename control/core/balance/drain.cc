#include "control/core/balance/drain.h"

#include <algorithm>

namespace qure {

void Drain::Set(MonoTime now, const StoredDrain& drain) {
  drain_ = drain;
  const bool ahead = drain_.on && drain_.deadline && *drain_.deadline > Duration{};
  ends_ = ahead ? now + *drain_.deadline : kNever;
}

bool Drain::Tick(MonoTime now) {
  if (now < ends_) return false;
  ends_ = kNever;
  drain_.deadline = Duration{};
  return true;
}

std::optional<Duration> Drain::Left(MonoTime now) const {
  if (over()) return Duration{};
  if (ends_ == kNever) return std::nullopt;
  return std::max(ends_ - now, Milliseconds(1));
}

}  // namespace qure
