// Brings the packets of balanced services to the owners of their flows: to the kernel behind the host port if that is
// this node, otherwise by a new pair of MAC addresses. No encapsulation, so no MTU is lost; the time to live stays.
//
// The flow table knows who owns a flow; what is not in it goes by the Maglev lookup table. A packet that is of no new
// flow and reaches an owner that does not know it gets a second chance with the owner of the previous balance epoch.
// The hop stands in the destination MAC, so there is no loop: what comes on hop 1 is kept.
//
// With delivery = "multicast" every node gets what the gateway sends, and the owner by the table does what an owner
// does with a packet on hop 0; all others drop it. Only until an epoch has settled is there a difference: nodes take it
// up one after the other, and a new flow must not be taken by two of them. So the new owner hands it on to the previous
// one, which, as long as it goes by the epoch before, takes it as well: the same node either way. What a flow's owner
// leaves unanswered its client sends again: all nodes notice, and the master alone sends it to the owner.
#pragma once

#include "dataplane/pipeline/frame.h"
#include "dataplane/pipeline/worker_memory.h"
#include "proto/snapshot.h"

namespace qure {

// Sets the reasons of all frames in the lane kFlow. `snapshot` has services and a balance.
void ForwardFlows(const Snapshot& snapshot, const WorkerMemory& memory, Batch* batch);

}  // namespace qure
