#include "dataplane/pipeline/request_watch.h"

namespace qure {

bool RequestWatch::Repeated(uint64_t hash, uint32_t id, FlowTime now) {
  constexpr uint64_t kSpread = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio: Fibonacci hashing
  const uint64_t mixed = (hash ^ id) * kSpread;
  Place& place = places_[mixed >> 52];
  static_assert(kPlaces == 1 << 12);
  const auto mark = static_cast<uint32_t>(mixed >> 20) | 1;  // 0: free
  const uint32_t age = now.ticks - place.first.ticks;
  if (place.mark == mark && age <= FlowTicks(kAskedAnew)) return age >= FlowTicks(kAskedAgain);
  place = {.mark = mark, .first = now};
  return false;
}

}  // namespace qure
