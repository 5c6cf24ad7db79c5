// How many messages of a kind are taken in the long run: a burst at once, then one per interval. Time is an argument.
#pragma once

#include <algorithm>
#include <cstdint>

#include "proto/time.h"

namespace qure {

class MessageBudget {
 public:
  MessageBudget(Duration interval, int64_t burst) : interval_(interval), burst_(interval * burst) {}

  // One more was taken. Returns when the next one may be: not after `now` while the burst lasts.
  MonoTime Take(MonoTime now) {
    full_at_ = std::max(full_at_, now) + interval_;
    return full_at_ - now > burst_ ? full_at_ - burst_ : now;
  }

 private:
  const Duration interval_;
  const Duration burst_;
  MonoTime full_at_;  // when the whole burst is there again
};

}  // namespace qure
