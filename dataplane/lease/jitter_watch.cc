#include <algorithm>

#include "dataplane/lease/heartbeater.h"

namespace qure {

namespace {
constexpr Duration kWindow = Seconds(4);  // a disturbance is forgotten after one to two of them
}

void JitterWatch::OnArrival(MonoTime now) {
  if (started_) OnGap(now, now - last_);
  started_ = true;
  last_ = now;
}

void JitterWatch::OnGap(MonoTime now, Duration gap) {
  if (window_start_ == kNever) window_start_ = now;
  if (now - window_start_ >= kWindow) {
    const bool skipped = now - window_start_ >= kWindow * 2;  // nothing came for a whole window
    longest_before_ = skipped ? Duration{} : longest_now_;
    longest_now_ = {};
    window_start_ = now;
    measured_ = !skipped;
  }
  if (gap <= kLongestGap) longest_now_ = std::max(longest_now_, gap);
}

void JitterWatch::Interrupted() {
  started_ = false;
}

Duration JitterWatch::longest() const {
  return std::max(longest_now_, longest_before_);
}

Duration JitterWatch::Wanted(const HeartbeatPlan& plan) const {
  const Duration measured = longest() * 3 / 2 + plan.interval;
  const Duration wanted = measured_ ? measured : std::max(measured, plan.first_lease);
  return std::clamp(wanted, plan.min_lease, plan.max_lease);
}

}  // namespace qure
