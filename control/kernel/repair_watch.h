// Whether putting back what others take away from the host port helps.
#pragma once

#include "proto/time.h"

namespace qure {

class RepairWatch {
 public:
  static constexpr Duration kPatience = Seconds(1);      // of trouble that does not end
  static constexpr Duration kQuiet = Milliseconds(500);  // without anything missing: the trouble is over

  // What belongs to the host port has changed: until all of it is there, nothing of it was taken away.
  void Expect() {
    was_whole_ = false;
    since_ = kNever;
  }
  // After each look. `whole`: nothing was missing.
  void OnLook(MonoTime now, bool whole) {
    was_whole_ = was_whole_ || whole;
    if (!whole && was_whole_) {
      if (since_ == kNever) since_ = now;
      last_ = now;
    } else if (since_ != kNever && now - last_ >= kQuiet) {
      since_ = kNever;
    }
  }
  bool troubled() const { return since_ != kNever; }
  // For a second by now, something was missing again and again, or could not be put back.
  bool hopeless() const { return troubled() && last_ - since_ >= kPatience; }

 private:
  bool was_whole_ = false;
  MonoTime since_ = kNever;
  MonoTime last_ = kNever;
};

}  // namespace qure
