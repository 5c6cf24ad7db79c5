// Durations counted in buckets: a Prometheus histogram as a plain value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "proto/time.h"

namespace qure {

class DurationHistogram {
 public:
  // Upper bounds. Takeovers take a heartbeat or two, or some seconds after a double failure.
  static constexpr std::array kBounds = {Milliseconds(5),   Milliseconds(10),   Milliseconds(15),   Milliseconds(20),
                                         Milliseconds(30),  Milliseconds(50),   Milliseconds(100),  Milliseconds(200),
                                         Milliseconds(500), Milliseconds(1000), Milliseconds(2000), Milliseconds(5000)};

  void Add(Duration span) {
    for (size_t i = 0; i < kBounds.size(); ++i) cumulative_[i] += span <= kBounds[i] ? 1 : 0;
    ++count_;
    sum_ = sum_ + span;
  }

  uint64_t cumulative(size_t bound) const { return cumulative_[bound]; }  // spans of at most kBounds[bound]
  uint64_t count() const { return count_; }
  Duration sum() const { return sum_; }

 private:
  std::array<uint64_t, kBounds.size()> cumulative_{};
  uint64_t count_ = 0;
  Duration sum_;
};

}  // namespace qure
