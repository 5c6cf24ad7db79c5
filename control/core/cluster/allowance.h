// How much of something may be done: `burst` at once, one per `cost` in the long run.
#pragma once

#include <algorithm>
#include <optional>

#include "proto/time.h"

namespace qure {

class Allowance {
 public:
  bool Take(MonoTime now, Duration cost, int burst) {
    const MonoTime full_at = std::max(full_at_.value_or(now), now) + cost;
    if (full_at - now > cost * burst) return false;
    full_at_ = full_at;
    return true;
  }

 private:
  std::optional<MonoTime> full_at_;  // when the whole burst is there again
};

}  // namespace qure
