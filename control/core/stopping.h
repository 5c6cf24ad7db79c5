// The end of this node, once it has been asked for: the mastership is handed over within kStopTimeout, then it ends.
#pragma once

#include "control/core/timers.h"
#include "proto/time.h"

namespace qure {

class Stopping {
 public:
  void Begin(MonoTime now) { by_ = now + kStopTimeout; }
  // There is nothing to wait for.
  void DoNotWait(MonoTime now) { by_ = now; }
  bool begun() const { return by_ != kNever; }
  // Whether the node may end now; `busy`: it still is master, or answers after a handover.
  bool Due(MonoTime now, bool busy) const { return begun() && (!busy || now >= by_); }
  MonoTime deadline() const { return by_; }

  // Nothing is done any more.
  void Finish() { finished_ = true; }
  bool finished() const { return finished_; }

 private:
  MonoTime by_ = kNever;  // at the latest
  bool finished_ = false;
};

}  // namespace qure
