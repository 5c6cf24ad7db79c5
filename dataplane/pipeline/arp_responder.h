// ARP about service addresses (RFC 826, RFC 5227): requests for held ones are answered in place, the rest is noted for
// the claims.
#pragma once

#include "dataplane/pipeline/frame.h"
#include "proto/net/arp.h"
#include "proto/net/ethernet.h"
#include "proto/snapshot.h"

namespace qure {

// Notes what the sound ARP packet `arp` from the LAN says as a gateway: an answer to one of our MACs, or where the
// gateway is, if that is news.
void NoteGatewayArp(const Snapshot& snapshot, const EthernetHeader& ethernet, const ArpPacket& arp, Batch* batch);

// Frame `index` of the batch is a sound ARP packet from the LAN.
Reason RespondArp(const Snapshot& snapshot, size_t index, Batch* batch);

}  // namespace qure
