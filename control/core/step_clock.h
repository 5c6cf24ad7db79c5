// How long this node has been up, and whether its control thread was held: between two steps there is never so much
// time as kControlHeld, as each node has a HELLO to send before.
#pragma once

#include "control/core/timers.h"
#include "proto/time.h"

namespace qure {

class StepClock {
 public:
  explicit StepClock(MonoTime booted) : booted_(booted), last_step_(booted) {}

  // A step begins. True if the thread was held since the one before.
  bool BeginStep(MonoTime now) {
    const bool held = stepped_ && now - last_step_ > kControlHeld;
    stepped_ = true;
    last_step_ = now;
    return held;
  }
  Duration Uptime(MonoTime now) const { return now - booted_; }

 private:
  MonoTime booted_;
  MonoTime last_step_;
  bool stepped_ = false;
};

}  // namespace qure
