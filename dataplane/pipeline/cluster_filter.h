// Which frames are messages between the cluster's nodes, and who gets them. Nothing in them is believed here: the
// heartbeater or the control core opens the envelope. What stands in front of it only says who waits behind whom; where
// too much comes under one name, the envelope is tried here, too.
#pragma once

#include "dataplane/pipeline/cluster_admission.h"
#include "dataplane/pipeline/frame.h"
#include "proto/cluster/datagram.h"
#include "proto/net/ip.h"
#include "proto/snapshot.h"

namespace qure {

// The IPv4 packet at `parsed.network` is UDP to the cluster's port and to the group, the broadcast address or this
// node; `view` as ParseIpPacket made it.
bool IsClusterDatagram(const Snapshot& snapshot, const Frame& frame, const Parsed& parsed, const IpView& view);

// cluster_heartbeat of the lease's other side, cluster_message of a known boot, cluster_stranger of others within their
// allowance, cluster_adoption of Channel::kAdmission, or why it is dropped. The UDP checksum is not looked at: the
// envelope's tag covers more, and an adoption's signatures do. Without `admission` there is no limit.
Reason SortClusterDatagram(const Snapshot& snapshot, ClusterAdmission* admission, const Frame& frame,
                           const Parsed& parsed);

// The UDP payload of a cluster datagram.
ConstBytes ClusterPayload(ConstBytes frame, uint16_t transport);

// A cluster message as the control thread gets it; offsets as in Parsed.
Datagram ClusterDatagram(ConstBytes frame, uint16_t network, uint16_t transport);

// Notifies the control thread of an IGMP or MLD query.
void NoteGroupQuery(size_t index, const IpView& view, Batch* batch);

}  // namespace qure
