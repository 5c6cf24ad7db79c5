// Which frames are messages between the cluster's nodes, and who gets them. Nothing in them is trusted here: the
// heartbeater or the control core opens the envelope.
#pragma once

#include "dataplane/pipeline/frame.h"
#include "proto/cluster/datagram.h"
#include "proto/net/ip.h"
#include "proto/snapshot.h"

namespace qure {

// The IPv4 packet at `parsed.network` is UDP to the cluster's port and to the group, the broadcast address or this
// node; `view` as ParseIpPacket made it.
bool IsClusterDatagram(const Snapshot& snapshot, const Frame& frame, const Parsed& parsed, const IpView& view);

// cluster_heartbeat or cluster_message. The UDP checksum is not looked at: the envelope's tag covers more.
Reason SortClusterDatagram(const Frame& frame, const Parsed& parsed);

// The UDP payload of a cluster datagram.
ConstBytes ClusterPayload(ConstBytes frame, uint16_t transport);

// A cluster message as the control thread gets it; offsets as in Parsed.
Datagram ClusterDatagram(ConstBytes frame, uint16_t network, uint16_t transport);

// Notifies the control thread of an IGMP or MLD query.
void NoteGroupQuery(size_t index, const IpView& view, Batch* batch);

}  // namespace qure
