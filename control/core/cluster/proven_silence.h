// A deputy's proof that its master is silent: D has passed without a heartbeat, and none waits in the receive queue. It
// may lead as soon as the gateway answers, however long that takes within a bound. What others still say of the dead
// master they have from before its death; what it said itself may have been on its way.
#pragma once

#include "control/core/timers.h"
#include "proto/cluster/node.h"
#include "proto/mutation.h"
#include "proto/time.h"

namespace qure {

class ProvenSilence {
 public:
  // `asked`: since when the LAN has been asked.
  void Begin(MonoTime now, const NodeId& master, const Term& term, MonoTime asked) {
    master_ = master;
    term_ = term;
    asked_ = asked;
    began_ = now;
  }
  void End() { began_ = kNever; }

  // Whether the proof is as fresh as a claim without further listening needs it.
  bool Holds(MonoTime now) const { return began_ != kNever && now - began_ <= kSilenceHolds; }
  MonoTime asked() const { return asked_; }

  // Whether this word of the master is older than its silence. `direct`: the master's own.
  bool Outdates(MonoTime now, const NodeId& master, const Term& term, bool direct) const {
    if (began_ == kNever || master != master_ || term != term_ || Mutated(Mutation::kFollowOldWord)) return false;
    return now - began_ <= (direct ? kOldWord : kOldHearsay);
  }

 private:
  NodeId master_{};
  Term term_;
  MonoTime asked_;
  MonoTime began_ = kNever;
};

}  // namespace qure
