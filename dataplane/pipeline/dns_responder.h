// DNS queries to a held service address, answered in place from the snapshot's zones.
#pragma once

#include "dataplane/pipeline/frame.h"
#include "dataplane/pipeline/worker_memory.h"
#include "proto/snapshot.h"

namespace qure {

// Looks where the answers to the DNS queries of a batch will come from, and brings that into the cache: so the waits
// for memory of all of them overlap. The snapshot has zones.
void LookAheadDns(const Snapshot& snapshot, const WorkerMemory& memory, Batch* batch);

// Frame `index` of the batch is an unfragmented UDP packet to port 53, and was looked at ahead.
// `memory` knows which answers are given too often, and when it is.
Reason RespondDns4(const Snapshot& snapshot, const WorkerMemory& memory, size_t index, Batch* batch);
Reason RespondDns6(const Snapshot& snapshot, const WorkerMemory& memory, size_t index, Batch* batch);

}  // namespace qure
