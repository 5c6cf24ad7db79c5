// The rules that a snapshot keeps, and that the packet path relies on without looking: checked once, when it is
// published.
#pragma once

#include "proto/snapshot.h"

namespace qure {

// Ends the process (proto/check.h) if a rule does not hold. `before`: the snapshot that was checked before this one, or
// null; Maglev lookup tables that the two share are not read again.
void CheckSnapshot(const Snapshot& snapshot, const Snapshot* before);

}  // namespace qure
