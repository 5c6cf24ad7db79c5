#include "dataplane/lease/backlog_watch.h"

#include <algorithm>

namespace qure {

bool BacklogWatch::Received(MonoTime now, uint32_t count) {
  if (now - moment_start_ >= kMoment) EndMoment(now);
  moment_frames_ += count;
  if (moment_frames_ <= std::max(kQuiet, usual() + usual() / 2)) return false;
  most_now_ = moment_frames_;
  return true;
}

void BacklogWatch::EndMoment(MonoTime now) {
  most_now_ = std::max(most_now_, moment_frames_);
  moment_frames_ = 0;
  moment_start_ = now;
  if (now - window_start_ < kWindow) return;
  most_before_ = now - window_start_ < kWindow * 2 ? most_now_ : 0;
  most_now_ = 0;
  window_start_ = now;
}

}  // namespace qure
