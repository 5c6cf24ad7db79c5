// Which flow a packet to a service address belongs to, and whether it is one that is balanced.
#pragma once

#include <optional>

#include "dataplane/pipeline/frame.h"
#include "proto/net/ip.h"
#include "proto/snapshot.h"

namespace qure {

// What the flags of a TCP header mean for its flow.
FlowSign SignOf(uint8_t tcp_flags);

// A TCP or UDP packet, an ICMP error about one, or a later fragment, to the service address `service` as frame `index`.
// Sets batch->flows[index] and returns true if it is of a balanced service; false: the master's kernel has it. `error`
// gets what is wrong with the transport header. Offsets in `view` count from the frame.
bool ClassifyFlow(const Snapshot& snapshot, const ServiceAddress& service, const IpView& view, Entrance entrance,
                  size_t index, Batch* batch, ParseError* error);

}  // namespace qure
