// The two clocks with which a worker notices its own pauses.
#pragma once

#include "dataplane/lease/lease_gate.h"
#include "proto/time.h"

namespace qure {

struct Clocks {
  MonoTime clock;  // CLOCK_MONOTONIC
  MonoTime tsc;    // the time stamp counter: it goes on while a hypervisor holds CLOCK_MONOTONIC still
};

// Both clocks at one instant.
Clocks ReadClocks();

// Whether a frame may leave from a service MAC at this instant.
bool MayTransmitNow(const StallGuard& guard);

}  // namespace qure
