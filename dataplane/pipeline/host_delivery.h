// The last step of frames for the kernel: addressed to the host port and untagged.
#pragma once

#include <cstring>

#include "dataplane/pipeline/frame.h"
#include "proto/snapshot.h"

namespace qure {

// Hands frame `index` to the kernel with `reason`, one of the host_ reasons.
inline Reason DeliverToHost(const Snapshot& snapshot, size_t index, Reason reason, Batch* batch) {
  Frame& frame = batch->frames[index];
  if (batch->parsed[index].tagged) {
    frame.PopVlan();
    batch->parsed[index].tagged = false;
  }
  // The kernel ignores frames to a MAC that its interface does not have; group addresses stay what they are.
  if (reason != Reason::host_group) std::memcpy(frame.data, snapshot.node_mac.bytes.data(), sizeof(MacAddress));
  return reason;
}

// Where frame `index` goes when it is not about a service address: by its destination MAC.
inline Reason DeliverByMac(const Snapshot& snapshot, size_t index, Batch* batch) {
  MacAddress destination;
  std::memcpy(&destination, batch->frames[index].data, sizeof(destination));
  if (destination.is_multicast()) {
    return snapshot.dedicated ? DeliverToHost(snapshot, index, Reason::host_group, batch) : Reason::kernel_owned;
  }
  if (destination == snapshot.node_mac) return DeliverToHost(snapshot, index, Reason::host_node, batch);
  return Reason::not_service_address;
}

}  // namespace qure
