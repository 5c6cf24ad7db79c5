// Neighbor discovery about service addresses (RFC 4861, RFC 4862 §5.4): the IPv6 twin of the ARP responder.
#pragma once

#include "dataplane/pipeline/frame.h"
#include "proto/snapshot.h"

namespace qure {

// Frame `index` of the batch is a neighbor solicitation or advertisement from the LAN, checksum not yet verified.
Reason RespondNeighbor(const Snapshot& snapshot, size_t index, Batch* batch);

}  // namespace qure
