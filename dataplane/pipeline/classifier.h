// Decides for each frame from the LAN whose it is and which stage works on it. The only place where frames are parsed
// from the outside in; a stage uses the offsets found here.
#pragma once

#include "dataplane/pipeline/frame.h"
#include "proto/snapshot.h"

namespace qure {

// Fills parsed and lanes of the whole batch, and the reasons of frames in the lane kDone. Returns the lanes in use:
// kFlow only of a snapshot with a balance, those of DNS only of one with an authority.
LaneSet Classify(const Snapshot& snapshot, Batch* batch);

}  // namespace qure
