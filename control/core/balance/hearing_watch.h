// Who hears? A node whose link works one way only is heard by all and hears nobody: alive by its HELLOs, and of no use
// to a flow. What a node hears shows in its HELLO: it names the master. A pure state machine.
#pragma once

#include <algorithm>
#include <map>
#include <optional>

#include "control/core/cluster/membership.h"
#include "control/core/timers.h"
#include "control/core/wire.h"
#include "proto/cluster/node.h"
#include "proto/mutation.h"
#include "proto/time.h"

namespace qure {

class HearingWatch {
 public:
  // At each step: the master that this node follows or is.
  void SetMaster(MonoTime now, const std::optional<NodeId>& master) {
    if (master == master_) return;
    master_ = master;
    since_ = now;
    named_.clear();
  }
  void OnHello(MonoTime now, const Member& member) {
    if (master_ && ReadId(member.hello.master()) == master_) named_[member.node] = now;
  }
  // It is there, and has not named the master for kDeafAfter.
  bool Deaf(MonoTime now, const Member& member) const {
    if (!master_ || member.node == *master_ || !member.present() || member.hello.booting()) return false;
    if (Mutated(Mutation::kShareDeaf)) return false;
    const auto named = named_.find(member.node);
    const MonoTime last = std::max({since_, member.first_heard, named == named_.end() ? kLongAgo : named->second});
    return now - last > kDeafAfter;
  }

 private:
  std::optional<NodeId> master_;
  MonoTime since_;                    // it is the master
  std::map<NodeId, MonoTime> named_;  // by whom, and when last
};

}  // namespace qure
