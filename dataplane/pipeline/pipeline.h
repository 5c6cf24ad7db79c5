// The packet's way: classify, one lane per kind of work, a stage per lane. Pure: the same frame, snapshot, flow table
// and time give the same bytes and reason, here as in tests, fuzzers, benches and `explain`. No allocation, lock, log,
// clock or system call.
#pragma once

#include "dataplane/pipeline/frame.h"
#include "dataplane/pipeline/worker_memory.h"
#include "proto/snapshot.h"

namespace qure {

// Frames received from the LAN. Sets `reasons` of all and rewrites in place those that are answered or go to the
// kernel.
void ProcessLan(const Snapshot& snapshot, const WorkerMemory& memory, Batch* batch);

// Frames that the kernel sent through the host port: passed to the LAN unless they would claim a service address.
void ProcessHost(const Snapshot& snapshot, const WorkerMemory& memory, Batch* batch);

// A frame built by the control thread, untagged, and its reason: control_frame, control_announce if it is sourced from
// a service MAC, way_in_question. What goes to the LAN gets the LAN's tag.
Reason ProcessControl(const Snapshot& snapshot, Reason reason, Frame* frame);

}  // namespace qure
