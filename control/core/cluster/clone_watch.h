// Whether another machine has this node's identity (a cloned disk): while it is heard, this node is ineligible.
#pragma once

#include "control/core/timers.h"
#include "proto/time.h"

namespace qure {

class CloneWatch {
 public:
  // A message of our node id with another boot id has come. True if the clone is new.
  bool OnHeard(MonoTime now) {
    const bool is_new = !heard_;
    heard_ = true;
    until_ = now + kCloneMemory;
    return is_new;
  }
  void Tick(MonoTime now) {
    if (now >= until_) heard_ = false;
  }
  bool heard() const { return heard_; }

 private:
  bool heard_ = false;
  MonoTime until_ = kLongAgo;
};

}  // namespace qure
