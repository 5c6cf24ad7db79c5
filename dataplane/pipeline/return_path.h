// What a node's kernel answers from a service address: the way it goes back, and what it means for the flow.
#pragma once

#include "dataplane/pipeline/frame.h"
#include "dataplane/pipeline/worker_memory.h"
#include "proto/net/ip.h"
#include "proto/snapshot.h"

namespace qure {

// Whether the IP packet is a reply from one of our service addresses that has to go back by way of the master
// (Service::return_by_master). A packet without ports goes that way if any service's replies do. `view` as
// ParseIpPacket made it.
bool ReturnsByMaster(const Snapshot& snapshot, const Frame& frame, const Parsed& parsed, const IpView& view);

// A reply that a peer sent to this node, the master, for the gateway.
Reason ReturnToGateway(const Snapshot& snapshot, const Parsed& parsed, Frame* frame);

// A sound IP packet of the kernel on its way to the LAN. Turns replies that return by the master, and takes each one as
// word of its flow (flow_rules.h): so what nobody answers leaves nothing behind. The snapshot has a balance.
Reason SendReply(const Snapshot& snapshot, const WorkerMemory& memory, const Parsed& parsed, const IpView& view,
                 Frame* frame);

}  // namespace qure
