// The log lines about stalls of workers: one for each, but at most one a second.
#pragma once

#include <optional>
#include <string>

#include "proto/time.h"

namespace qure {

class StallReport {
 public:
  static constexpr Duration kInterval = Seconds(1);

  // A worker stalled for `span`. Returns the line to log now, if any.
  std::optional<std::string> OnStall(MonoTime now, Duration span);
  // Returns the line that sums up the stalls held back, once it is due.
  std::optional<std::string> Tick(MonoTime now);

 private:
  MonoTime last_ = kLongAgo;  // when a line was last logged
  int held_back_ = 0;
  Duration longest_;  // of those held back
};

}  // namespace qure
