// The veto of the LAN: a node of this cluster that answers for a service address serves, whatever its messages say or
// do not say, and nobody claims beside it. But anyone can send such an answer. So vetoes count for a bounded time,
// until a master is heard of in an authentic message, or nobody has answered for kVetoQuiet: then the next ones count
// anew.
#pragma once

#include "control/core/timers.h"
#include "proto/mutation.h"
#include "proto/time.h"

namespace qure {

inline constexpr Duration kVetoQuiet = Seconds(60);  // who lies goes on

class Veto {
 public:
  // An answer for a service address came from the service MAC, or from a member.
  void OnAnswer(MonoTime now) {
    if (began_ == kNever || now - answered_ > kVetoQuiet) began_ = now;
    answered_ = now;
  }
  // An authentic message named a master.
  void OnMaster() { began_ = kNever; }
  // Whether an answer that came at `since` or later speaks against a claim.
  bool Speaks(MonoTime now, MonoTime since) const {
    if (answered_ < since || Mutated(Mutation::kSkipVeto)) return false;
    return now - began_ < kVetoLife || Mutated(Mutation::kEndlessVeto);
  }

 private:
  MonoTime answered_ = kLongAgo;  // last
  MonoTime began_ = kNever;       // the first one since a master was heard of
};

}  // namespace qure
