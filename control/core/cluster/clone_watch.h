// Whether another machine has this node's identity (a cloned disk): while it is heard, this node is ineligible. One of
// the two takes a new identity: the one that knows that it is the copy, as its LAN MAC is not the stored one, or, where
// neither knows (a cloned VM with its MAC), the one that booted later.
#pragma once

#include <algorithm>
#include <optional>

#include "control/core/timers.h"
#include "proto/cluster/node.h"
#include "proto/mutation.h"
#include "proto/time.h"

namespace qure {

// A boot, as far as it decides which of two came later.
struct BootAge {
  Duration uptime;
  BootId boot{};
};

// Whether `self` booted after `other`. What is said takes a while to arrive: of boots that close the ids decide.
inline bool BootedLater(const BootAge& self, const BootAge& other) {
  const Duration apart = self.uptime - other.uptime;
  if (apart > kBootsTogether || apart < Duration{-kBootsTogether.ns}) return self.uptime < other.uptime;
  return self.boot > other.boot;
}

class CloneWatch {
 public:
  // A message of our node id with another boot id has come; `later`: whether ours is the later boot, if it says. True
  // if the clone is new.
  bool OnHeard(MonoTime now, std::optional<bool> later) {
    const bool is_new = !heard_;
    heard_ = true;
    until_ = now + kCloneMemory;
    if (later) leave_at_ = *later ? std::min(leave_at_, now + kCloneGrace) : kNever;
    return is_new;
  }
  void Tick(MonoTime now) {
    if (now < until_) return;
    heard_ = false;
    leave_at_ = kNever;
  }
  bool heard() const { return heard_; }
  // The other one booted earlier, and has not taken a new identity for itself meanwhile. True once.
  bool MustLeave(MonoTime now) {
    if (now < leave_at_ || left_ || Mutated(Mutation::kTwinStays)) return false;
    left_ = true;
    return true;
  }

 private:
  bool heard_ = false;
  bool left_ = false;
  MonoTime until_ = kLongAgo;
  MonoTime leave_at_ = kNever;
};

}  // namespace qure
