// ARP about service addresses (RFC 826, RFC 5227): requests for held ones are answered in place, the rest is noted for
// the claims.
#pragma once

#include "dataplane/pipeline/frame.h"
#include "proto/net/arp.h"
#include "proto/net/ethernet.h"
#include "proto/snapshot.h"

namespace qure {

// Notes what the sound ARP packet `arp` from the LAN says as a service address or as a gateway: who has the address; an
// answer to one of our MACs; where the gateway is, if that is news. True if it speaks as a service address.
bool NoteArp(const Snapshot& snapshot, const EthernetHeader& ethernet, const ArpPacket& arp, Batch* batch);

// Who says at `said` that it has the address of `service`. Frames of the cluster's nodes come from the service MAC; who
// names it from elsewhere is somebody else.
MacAddress SpeakerFor(const ServiceAddress& service, const MacAddress& source, const MacAddress& said);

// Frame `index` of the batch is a sound ARP packet from the LAN, to one of our MACs or to a group.
Reason RespondArp(const Snapshot& snapshot, size_t index, Batch* batch);

}  // namespace qure
