// Completes TCP and UDP checksums that a sender has left to a network card (see SegmentChecksum): the kernel of this
// node, and a peer that the packet is passed on to, verify them.
#pragma once

#include "dataplane/pipeline/frame.h"
#include "proto/net/ip.h"

namespace qure {

// Where the port cannot tell, a checksum that is wrong and equal to the sum of the pseudo-header counts as partial. A
// damaged packet looks so by chance once in 65,536, as often as a damaged packet has the right checksum.
void CompleteChecksum(const Parsed& parsed, const IpView& view, Frame* frame);

}  // namespace qure
