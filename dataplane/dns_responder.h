// DNS queries to a held service address, answered in place from the snapshot's zones.
#pragma once

#include "dataplane/forwarder.h"
#include "dataplane/frame.h"
#include "proto/snapshot.h"

namespace qure {

// Frame `index` of the batch is an unfragmented UDP packet to port 53; the snapshot has zones.
// `flows` knows which answers are given too often, and when it is.
Reason RespondDns4(const Snapshot& snapshot, const Flows& flows, size_t index, Batch* batch);
Reason RespondDns6(const Snapshot& snapshot, const Flows& flows, size_t index, Batch* batch);

// Looks where the answers to the DNS queries of a batch will come from, and brings that into the cache. Worth its
// while, and done, where zones are large.
void LookAheadDns(const DnsZones& zones, Batch* batch);

}  // namespace qure
