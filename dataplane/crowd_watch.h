// Finds the remote addresses that open very many flows, in fixed memory and constant time: Space-Saving (Metwally,
// Agrawal, El Abbadi, Efficient Computation of Frequent and Top-k Elements in Data Streams, ICDT 2005) in sets of
// eight counters, chosen by a secret hash.
//
// Its error: of the F flows that fall into one set within a window, a counter counts at most F/8 too many, and knows
// how many at most; what it is sure of is never too high. An address that opens more than F/8 of them has a counter.
// Over all sets, F is about 1/kSets of all new flows.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "proto/flow.h"
#include "proto/time.h"

namespace qure {

// Flows are counted for so long, then from zero again.
inline constexpr Duration kCrowdWindow = Seconds(5);
// An address that opens a quarter of what makes a crowd is still told of: so a crowd that is one stays one.
inline constexpr uint32_t kCrowdStays = 4;

struct CrowdSighting {
  RemoteAddress remote{};
  bool many = false;  // as many as make a crowd; otherwise as many as keep one
};

class CrowdWatch {
 public:
  // `seed`: random, unknown to whoever chooses the addresses.
  explicit CrowdWatch(uint64_t seed);

  // From how many new flows in a window on an address is told of; 0: never.
  void SetThreshold(uint32_t flows) { threshold_ = flows; }
  // A flow has been opened from this address.
  void Note(const RemoteAddress& remote);
  // Once a round. Ends the window when it is over.
  void Round(MonoTime now);
  // What was found since the last call; valid until the next one.
  const std::vector<CrowdSighting>& Take();

  // Flows of this address in this window that are certain.
  uint32_t Sure(const RemoteAddress& remote) const;

  static constexpr size_t kSets = 128;
  static constexpr size_t kWays = 8;

 private:
  static constexpr size_t kMostFound = 64;  // more in a round are left for the next window
  struct Counter {
    RemoteAddress remote{};
    uint32_t count = 0;  // 0: free
    uint32_t error = 0;  // so many of them may have been others'
  };
  using Set = std::array<Counter, kWays>;

  size_t SetOf(const RemoteAddress& remote) const;
  void Tell(const Counter& counter, bool many);

  const uint64_t seed_;
  uint32_t threshold_ = 0;
  MonoTime window_end_;
  std::array<Set, kSets> sets_{};
  std::vector<CrowdSighting> found_;
  std::vector<CrowdSighting> taken_;
};

}  // namespace qure
