// How far a worker has come. Decisions that must be safe rest on it: a deputy takes over only when all that had arrived
// was received, and the master changes the balance only when every flow of ours was looked at. Written by its worker
// alone, read by anyone at any time.
#pragma once

#include "proto/counter.h"

namespace qure {

struct alignas(64) WorkerProgress {
  // All that arrived in this worker's receive queue before this time has been received.
  Gauge received_before_ns;
  // Balance::report_round up to which every flow of ours was looked at.
  Gauge flow_round;
};

}  // namespace qure
