// Echo requests to a held service address, answered in place (RFC 792, RFC 4443 §4.2).
#pragma once

#include "dataplane/pipeline/frame.h"
#include "proto/snapshot.h"

namespace qure {

// Frame `index` of the batch is an unfragmented echo request without IP options.
Reason RespondEcho4(const Snapshot& snapshot, size_t index, Batch* batch);
Reason RespondEcho6(const Snapshot& snapshot, size_t index, Batch* batch);

}  // namespace qure
