// Brings the packets of balanced services to the owners of their flows: to the kernel behind the host port if that is
// this node, otherwise by a new pair of MAC addresses. No encapsulation, so no MTU is lost; the time to live stays.
//
// The flow table knows who owns a flow; what is not in it goes by the table of shares. A packet that is of no new flow
// and reaches an owner that does not know it gets a second chance with the owner of the previous balance epoch. The hop
// stands in the destination MAC, so there is no loop: what comes on hop 1 is kept.
#pragma once

#include "dataplane/crowd_watch.h"
#include "dataplane/flow_table.h"
#include "dataplane/frame.h"
#include "proto/snapshot.h"

namespace qure {

// What a worker remembers, and when it is.
struct Flows {
  FlowTable* table = nullptr;
  CrowdWatch* crowds = nullptr;  // null: nobody watches
  FlowTime now;
};

// Sets the reasons of all frames in the lane kFlow. `snapshot` has services and a balance.
void ForwardFlows(const Snapshot& snapshot, const Flows& flows, Batch* batch);

}  // namespace qure
