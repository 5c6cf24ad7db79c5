// What is known of this machine besides its frames: the link of its LAN port, its clock. Plain state, also before the
// node's life begins.
#pragma once

#include "absl/strings/str_cat.h"
#include "control/core/action.h"
#include "proto/event.h"

namespace qure {

class MachineState {
 public:
  void OnEvent(const Event& event, Actions* out) {
    switch (event.kind) {
      case EventKind::kLinkDown:
      case EventKind::kLinkUp:
        link_up_ = event.kind == EventKind::kLinkUp;
        return;
      case EventKind::kClockUnfit:
      case EventKind::kClockFit:
        clock_fit_ = event.kind == EventKind::kClockFit;
        return;
      case EventKind::kClocksDiffer:
        out->push_back(MakeLog(LogLevel::kWarning, "the clocks of this node and of the master differ: ours takes ",
                               static_cast<double>(event.ppm) / 1e6,
                               " s for a second of the master's; this node is not ready as deputy. Compare both with a "
                               "third clock, and look at /sys/devices/system/clocksource of the one that is wrong"));
        clocks_differ_ = true;
        return;
      case EventKind::kClocksAgree:
        clocks_differ_ = false;
        return;
      default:
        return;
    }
  }

  bool link_up() const { return link_up_; }
  bool clock_fit() const { return clock_fit_; }          // false: it counts timer ticks
  bool clocks_differ() const { return clocks_differ_; }  // this one and the master's
  // A node that nobody hears does not lead, nor does one that cannot keep a lease.
  bool MayLead() const { return link_up_ && clock_fit_; }

 private:
  bool link_up_ = true;
  bool clock_fit_ = true;
  bool clocks_differ_ = false;
};

}  // namespace qure
