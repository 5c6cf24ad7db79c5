#include "dataplane/pipeline/heavy_hitter_detector.h"

#include <algorithm>

namespace qure {

HeavyHitterDetector::HeavyHitterDetector(uint64_t seed) : opened_(seed) {
  found_.reserve(kMostFound);
  taken_.reserve(kMostFound);
}

void HeavyHitterDetector::Note(const RemoteAddress& remote) {
  if (threshold_ == 0) return;
  const size_t counter = opened_.Note(remote).counter;
  if (opened_.counters()[counter].sure() == threshold_) Report(remote, true);
}

void HeavyHitterDetector::Round(MonoTime now) {
  if (threshold_ == 0 || now < window_end_) return;
  window_end_ = now + kHeavyHitterWindow;
  const uint32_t stays = std::max(threshold_ / kHeavyHitterStays, 1U);
  for (const SpaceSaving::Counter& counter : opened_.counters()) {
    if (counter.sure() >= stays && counter.sure() < threshold_) Report(counter.remote, false);
  }
  opened_.Clear();
}

void HeavyHitterDetector::Report(const RemoteAddress& remote, bool many) {
  if (found_.size() < kMostFound) found_.push_back({.remote = remote, .many = many});
}

const std::vector<HeavyHitterSighting>& HeavyHitterDetector::Take() {
  taken_.swap(found_);
  found_.clear();
  return taken_;
}

}  // namespace qure
