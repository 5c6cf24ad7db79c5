// The end of this node, once it has been asked for: the mastership is handed over within kStopTimeout, then it ends.
// One that leaves its cluster says so in between, when it does not lead any more, and gives the others kLeaveWait to
// take it.
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
  void Leave() { leaves_ = true; }
  bool leaves() const { return leaves_; }
  void SaidLeave(MonoTime now) { by_ = now + kLeaveWait; }
  // Whether the node may end now; `busy`: it still is master, or answers after a handover.
  bool Due(MonoTime now, bool busy) const { return begun() && (!busy || now >= by_); }
  MonoTime deadline() const { return by_; }

  // Nothing is done any more.
  void Finish() { finished_ = true; }
  bool finished() const { return finished_; }

 private:
  MonoTime by_ = kNever;  // at the latest
  bool leaves_ = false;
  bool finished_ = false;
};

}  // namespace qure
