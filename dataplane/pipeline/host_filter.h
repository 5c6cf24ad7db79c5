// Frames from the kernel on their way to the LAN. The kernel must never send ARP or ND for a service address: its
// neighbours would learn the wrong MAC, on a node that may not even hold the address.
#pragma once

#include "dataplane/pipeline/frame.h"
#include "dataplane/pipeline/worker_memory.h"
#include "proto/snapshot.h"

namespace qure {

// What may pass passes; requests that the kernel needs answered are made the node's own so that they carry no service
// address:
//   ARP request from a service address        -> sender address 0.0.0.0 (the RFC 5227 probe form)
//   solicitation from a service address       -> source fe80::… of the node MAC
// The neighbour answers to the node MAC either way, and the kernel's own table learns.
Reason FilterHostFrame(const Snapshot& snapshot, const WorkerMemory& memory, Frame* frame);

}  // namespace qure
