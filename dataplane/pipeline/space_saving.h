// Counts by remote address in fixed memory and constant time, so that the addresses that come most often are known:
// Space-Saving (Metwally, Agrawal, El Abbadi, Efficient Computation of Frequent and Top-k Elements in Data Streams,
// ICDT 2005) in sets of eight counters, chosen by a secret hash.
//
// Its error: of the F notes that fall into one set, a counter counts at most F/8 too many, and knows how many at most;
// what it is sure of is never too high. An address with more than F/8 of them has a counter. Over all sets, F is about
// 1/kSets of all.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "proto/flow.h"

namespace qure {

class SpaceSaving {
 public:
  static constexpr size_t kSets = 128;
  static constexpr size_t kWays = 8;
  static constexpr size_t kCounters = kSets * kWays;

  struct Counter {
    RemoteAddress remote{};
    uint32_t count = 0;  // 0: free
    uint32_t error = 0;  // so many of them may have been others'
    uint32_t sure() const { return count - error; }
  };
  struct Noted {
    size_t counter = 0;  // its number
    bool anew = false;   // it was another address's, or free
  };

  // `seed`: random, unknown to remote hosts.
  explicit SpaceSaving(uint64_t seed) : seed_(seed | 1) {}

  Noted Note(const RemoteAddress& remote);
  void Clear() { counters_ = {}; }

  // Those of one set are neighbours.
  const std::array<Counter, kCounters>& counters() const { return counters_; }
  // What is certain of this address.
  uint32_t Sure(const RemoteAddress& remote) const;

 private:
  size_t FirstOf(const RemoteAddress& remote) const;

  const uint64_t seed_;
  std::array<Counter, kCounters> counters_{};
};

}  // namespace qure
