// What the log says about workers that stood still: a line each, but never more than one per second.
#pragma once

#include <optional>
#include <string>

#include "dataplane/lease/lease_gate.h"
#include "proto/time.h"

namespace qure {

class StallReport {
 public:
  static constexpr Duration kInterval = Seconds(1);

  // A worker stood still for `span`. The line to log now, if any.
  std::optional<std::string> OnStall(MonoTime now, Duration span);
  // The line about those that were held back, once it is due.
  std::optional<std::string> Tick(MonoTime now);

 private:
  bool due_ = true;  // nothing was logged yet
  MonoTime last_;
  int held_back_ = 0;
  Duration longest_;  // of those held back
};

}  // namespace qure
