// The lease gate as the core has it: what it is to be, and the actions that make it so. A step shuts before or right
// after the snapshot, and opens last.
#pragma once

#include <cstdint>

#include "control/core/action.h"

namespace qure {

struct GateWish {
  bool open = false;
  uint64_t opening = 0;       // Election::opening: the gate opens anew whenever this has grown
  uint64_t stalls_known = 0;  // OpenGate::stalls_known
  bool handing_over = false;  // the workers go on from the node MAC: the gate shuts after them
};

class GateOutput {
 public:
  // Shuts an open gate that is to be shut, unless a handover lets the workers go on.
  void ShutAtOnce(const GateWish& wish, Actions* out) const {
    if (Shuts(wish) && !wish.handing_over) out->push_back(ShutGate{});
  }
  // The same for a handover, after the snapshot by which workers answer from the node MAC.
  void ShutAfterWorkers(const GateWish& wish, Actions* out) const {
    if (Shuts(wish) && wish.handing_over) out->push_back(ShutGate{.after_workers = true});
  }
  // Ends the step: opens, if the gate is to be open and is not yet at this opening.
  void Conclude(const GateWish& wish, Actions* out) {
    if (wish.open && (!open_ || opening_ != wish.opening)) {
      opening_ = wish.opening;
      out->push_back(OpenGate{.stalls_known = wish.stalls_known, .opening = opening_});
    }
    open_ = wish.open;
  }

 private:
  bool Shuts(const GateWish& wish) const { return open_ && !wish.open; }

  bool open_ = false;
  uint64_t opening_ = 0;
};

}  // namespace qure
