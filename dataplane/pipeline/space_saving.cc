#include "dataplane/pipeline/space_saving.h"

#include <algorithm>
#include <bit>
#include <span>

namespace qure {

// The first counter of the set that an address falls into.
size_t SpaceSaving::FirstOf(const RemoteAddress& remote) const {
  static_assert(std::has_single_bit(kSets));
  const auto words = std::bit_cast<std::array<uint64_t, 2>>(remote);
  uint64_t hash = (words[0] ^ seed_) * 0x9e3779b97f4a7c15;  // 2^64 / golden ratio: Knuth, TAOCP 3, §6.4
  hash = (hash ^ hash >> 32 ^ words[1]) * seed_;
  return ((hash ^ hash >> 32) * 0x9e3779b97f4a7c15 >> (64 - std::bit_width(kSets - 1))) * kWays;
}

SpaceSaving::Noted SpaceSaving::Note(const RemoteAddress& remote) {
  const size_t first = FirstOf(remote);
  const std::span set(&counters_[first], kWays);
  const auto known = std::ranges::find_if(set, [&](const Counter& c) { return c.count != 0 && c.remote == remote; });
  if (known != set.end()) {
    ++known->count;
    return {.counter = first + static_cast<size_t>(known - set.begin())};
  }
  // The least one is taken over with its count: what it has counted may have been this address's.
  const auto least = std::ranges::min_element(set, {}, &Counter::count);
  *least = {.remote = remote, .count = least->count + 1, .error = least->count};
  return {.counter = first + static_cast<size_t>(least - set.begin()), .anew = true};
}

uint32_t SpaceSaving::Sure(const RemoteAddress& remote) const {
  for (const Counter& counter : std::span(&counters_[FirstOf(remote)], kWays)) {
    if (counter.count != 0 && counter.remote == remote) return counter.sure();
  }
  return 0;
}

}  // namespace qure
