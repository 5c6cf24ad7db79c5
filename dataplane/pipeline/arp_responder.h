// ARP about service addresses (RFC 826, RFC 5227): requests for held ones are answered in place, the rest is noted for
// the claims.
#pragma once

#include "dataplane/pipeline/frame.h"
#include "proto/snapshot.h"

namespace qure {

// Frame `index` of the batch is a sound ARP packet from the LAN.
Reason RespondArp(const Snapshot& snapshot, size_t index, Batch* batch);

}  // namespace qure
