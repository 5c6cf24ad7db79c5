// Notices a backlog: more frames in a moment than the moments before have brought. After a pause that no clock shows
// (a hypervisor that stops clock and time stamp counter alike), what waited in the queues is the only sign of it. One
// per worker. No clock: the simulator runs this very code.
#pragma once

#include <cstdint>

#include "proto/time.h"

namespace qure {

class BacklogWatch {
 public:
  static constexpr Duration kMoment = Milliseconds(1);
  // What a moment brought is forgotten after one to two of these. Not longer: what waited through one pause would hide
  // the next one.
  static constexpr Duration kWindow = Milliseconds(100);
  static constexpr uint32_t kQuiet = 4;  // so many frames in a moment are never a backlog

  // A round received `count` frames. True if the moment has brought more than half as much again as any of late. Then
  // that is the new measure, so under a growing load this is true some tens of times a second, not for each frame.
  bool Received(MonoTime now, uint32_t count);

 private:
  void EndMoment(MonoTime now);
  uint32_t usual() const { return most_now_ > most_before_ ? most_now_ : most_before_; }

  MonoTime moment_start_ = kLongAgo;
  uint32_t moment_frames_ = 0;
  MonoTime window_start_ = kLongAgo;
  uint32_t most_now_ = 0;     // in a moment of the window under way
  uint32_t most_before_ = 0;  // … of the window before
};

}  // namespace qure
