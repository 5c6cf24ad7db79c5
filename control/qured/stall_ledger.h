// Finds stalls whose event was lost. A full ring drops events, but the gate opens only to a controller that knows of
// every stall: without a substitute for a lost event it would stay shut for ever.
#pragma once

#include <algorithm>
#include <cstdint>

#include "proto/check.h"

namespace qure {

class StallLedger {
 public:
  // An event of a stall has arrived; `stalls` is the gate's count at that stall.
  void OnEvent(uint64_t stalls) { known_ = std::max(known_, stalls); }
  // Whether no event has named a stall that the gate had counted at the last OnGateCount. The events of later stalls
  // may still be on their way.
  bool missing() const { return known_ < gate_count_; }
  // At each round of the control thread's liveness, with the gate's count of stalls.
  void OnGateCount(uint64_t stalls) {
    QURE_CHECK(stalls >= gate_count_, stalls, gate_count_);
    gate_count_ = stalls;
  }
  uint64_t gate_count() const { return gate_count_; }

 private:
  uint64_t known_ = 0;  // the greatest count of all events
  uint64_t gate_count_ = 0;
};

}  // namespace qure
