// Whether this node drains, and until when it keeps the flows that it has. A pure state machine.
#pragma once

#include <optional>

#include "control/core/stored.h"
#include "proto/time.h"

namespace qure {

class Drain {
 public:
  // As an operator has set it, or as was stored when this boot began: the deadline begins anew then.
  void Set(MonoTime now, const StoredDrain& drain);
  // True when the deadline has just passed.
  bool Tick(MonoTime now);
  MonoTime deadline() const { return ends_; }

  // As it is to be stored: the whole span while the deadline is ahead.
  const StoredDrain& stored() const { return drain_; }
  bool on() const { return drain_.on; }
  // The deadline has passed: the flows that are left here are given up.
  bool over() const { return drain_.on && drain_.deadline == Duration{}; }
  // Until the deadline; zero if and only if it has passed; nothing without one.
  std::optional<Duration> Left(MonoTime now) const;

 private:
  StoredDrain drain_;
  MonoTime ends_ = kNever;
};

}  // namespace qure
