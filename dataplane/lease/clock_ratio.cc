#include "dataplane/lease/clock_ratio.h"

#include <algorithm>

#include "proto/mutation.h"

namespace qure {

namespace {
constexpr int64_t kMostPpm = 8 * ClockRatio::kEqual;  // no clock is further off; a wrong sample may say anything
}

void ClockRatio::OnHeartbeat(MonoTime arrival, MonoTime sent_at) {
  const Sample sample{.arrival = arrival, .sent_at = sent_at};
  if (!started_ || arrival - last_ > kInterruption) Restart(sample);
  last_ = arrival;
  if (arrival - window_start_ >= window_) {
    EndWindow();
    window_start_ = arrival;
    quickest_ = sample;
  } else if (sample.offset() < quickest_.offset()) {
    quickest_ = sample;
  }
}

void ClockRatio::Restart(const Sample& sample) {
  *this = {};
  started_ = true;
  window_start_ = sample.arrival;
  quickest_ = sample;
}

// Between the quickest heartbeats of a window and of the next but one there is a window's length at least: however the
// delay of the quickest ones differs, it is small beside that.
void ClockRatio::EndWindow() {
  if (++complete_ >= 3) Estimate(before_[1], quickest_);
  before_ = {quickest_, before_[0]};
  if (measured_) window_ = std::min(window_ * 2, kLongestWindow);
}

void ClockRatio::Estimate(const Sample& from, const Sample& to) {
  const Duration here = to.arrival - from.arrival;
  const Duration there = to.sent_at - from.sent_at;
  if (here <= Duration{} || there <= Duration{}) return;  // a wrong sample
  const auto ratio = static_cast<double>(here.ns) / static_cast<double>(there.ns) * static_cast<double>(kEqual);
  ratio_before_ = ratio_;
  ratio_ = static_cast<int64_t>(std::clamp(ratio, 1.0, static_cast<double>(kMostPpm)));
  measured_ = true;
  if (!IsFar(ratio_) || Mutated(Mutation::kIgnoreClockRatio)) {
    far_ = 0;
  } else if (window_ >= kSureWindow) {
    ++far_;
  }
}

bool ClockRatio::Fits() const {
  return measured_ && (!IsFar(ratio_) || Mutated(Mutation::kIgnoreClockRatio));
}

Duration ClockRatio::Wait(Duration lease) const {
  if (Mutated(Mutation::kIgnoreClockRatio)) return lease;
  const int64_t ratio = std::max({kEqual, ratio_, ratio_before_});
  // A lease is 10 s at most: no overflow.
  return lease * (ratio / 1'000) / 1'000 * 51 / 50;
}

}  // namespace qure
