#include "dataplane/crowd_watch.h"

#include <algorithm>
#include <bit>

namespace qure {

CrowdWatch::CrowdWatch(uint64_t seed) : seed_(seed | 1) {
  found_.reserve(kMostFound);
  taken_.reserve(kMostFound);
}

size_t CrowdWatch::SetOf(const RemoteAddress& remote) const {
  static_assert(std::has_single_bit(kSets));
  const auto words = std::bit_cast<std::array<uint64_t, 2>>(remote);
  uint64_t hash = (words[0] ^ seed_) * 0x9e3779b97f4a7c15;  // 2^64 / golden ratio: Knuth, TAOCP 3, §6.4
  hash = (hash ^ hash >> 32 ^ words[1]) * seed_;
  return (hash ^ hash >> 32) * 0x9e3779b97f4a7c15 >> (64 - std::bit_width(kSets - 1));
}

void CrowdWatch::Note(const RemoteAddress& remote) {
  if (threshold_ == 0) return;
  Set& set = sets_[SetOf(remote)];
  const auto known = std::ranges::find_if(set, [&](const Counter& c) { return c.count != 0 && c.remote == remote; });
  if (known != set.end()) {
    ++known->count;
    if (known->count - known->error == threshold_) Tell(*known, true);
    return;
  }
  // The least one is taken over with its count: what it has counted may have been this address's.
  Counter& least = *std::ranges::min_element(set, {}, &Counter::count);
  least = {.remote = remote, .count = least.count + 1, .error = least.count};
  if (threshold_ == 1) Tell(least, true);
}

void CrowdWatch::Round(MonoTime now) {
  if (threshold_ == 0 || now < window_end_) return;
  window_end_ = now + kCrowdWindow;
  const uint32_t stays = std::max(threshold_ / kCrowdStays, 1U);
  for (const Set& set : sets_) {
    for (const Counter& counter : set) {
      const uint32_t sure = counter.count - counter.error;
      if (sure >= stays && sure < threshold_) Tell(counter, false);
    }
  }
  sets_ = {};
}

void CrowdWatch::Tell(const Counter& counter, bool many) {
  if (found_.size() < kMostFound) found_.push_back({.remote = counter.remote, .many = many});
}

const std::vector<CrowdSighting>& CrowdWatch::Take() {
  taken_.swap(found_);
  found_.clear();
  return taken_;
}

uint32_t CrowdWatch::Sure(const RemoteAddress& remote) const {
  for (const Counter& counter : sets_[SetOf(remote)]) {
    if (counter.count != 0 && counter.remote == remote) return counter.count - counter.error;
  }
  return 0;
}

}  // namespace qure
