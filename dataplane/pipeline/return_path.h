// What a node's kernel answers from a service address: the way it goes back, and what it says about the flow.
#pragma once

#include "dataplane/pipeline/frame.h"
#include "dataplane/pipeline/worker_memory.h"
#include "proto/snapshot.h"

namespace qure {

// Whether the IP packet is a reply from one of our service addresses that has to go back by way of the master
// (Service::return_by_master). What has no ports to tell by, does if any service's replies do.
bool ReturnsByMaster(const Snapshot& snapshot, ConstBytes packet, const IpView& view, bool is_v6);

// A reply that a peer sent to this node, the master, for the gateway; `packet` as above, in `frame`.
Reason ReturnToGateway(const Snapshot& snapshot, bool is_v6, uint16_t network, Frame* frame);

// An IP packet of the kernel on its way to the LAN. Turns replies that return by the master, and marks the flow of a
// TCP reset, which the kernel has no connection for, as closing: so a flood of made-up segments leaves nothing behind.
Reason SendReply(const Snapshot& snapshot, const WorkerMemory& memory, bool is_v6, Frame* frame);

}  // namespace qure
