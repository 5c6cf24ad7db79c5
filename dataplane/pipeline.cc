#include "dataplane/pipeline.h"

#include "dataplane/arp_responder.h"
#include "dataplane/classifier.h"
#include "dataplane/dns_responder.h"
#include "dataplane/host_delivery.h"
#include "dataplane/host_filter.h"
#include "dataplane/icmp_responder.h"
#include "dataplane/nd_responder.h"

namespace qure {

namespace {

// A packet to a held service address keeps its reason; any other frame goes where its destination MAC says.
Reason Deliver(const Snapshot& snapshot, size_t index, Batch* batch) {
  if (batch->reasons[index] == Reason::host_service) return DeliverToHost(snapshot, index, Reason::host_service, batch);
  return DeliverByMac(snapshot, index, batch);
}

Reason RunStage(const Snapshot& snapshot, Lane lane, size_t index, Batch* batch) {
  switch (lane) {
    case Lane::kDone:
      break;
    case Lane::kArp:
      return RespondArp(snapshot, index, batch);
    case Lane::kNeighbor:
      return RespondNeighbor(snapshot, index, batch);
    case Lane::kEcho4:
      return RespondEcho4(snapshot, index, batch);
    case Lane::kEcho6:
      return RespondEcho6(snapshot, index, batch);
    case Lane::kDns4:
      return RespondDns4(snapshot, index, batch);
    case Lane::kDns6:
      return RespondDns6(snapshot, index, batch);
    case Lane::kHost:
      return Deliver(snapshot, index, batch);
  }
  return batch->reasons[index];
}

}  // namespace

void ProcessLan(const Snapshot& snapshot, Batch* batch) {
  batch->event_count = 0;
  Classify(snapshot, batch);
  for (size_t i = 0; i < batch->count; ++i) batch->reasons[i] = RunStage(snapshot, batch->lanes[i], i, batch);
}

void ProcessHost(const Snapshot& snapshot, Batch* batch) {
  batch->event_count = 0;
  for (size_t i = 0; i < batch->count; ++i) batch->reasons[i] = FilterHostFrame(snapshot, &batch->frames[i]);
}

Reason ProcessControl(const Snapshot& snapshot, bool answer, Frame* frame) {
  if (snapshot.vlan != 0 && !frame->PushVlan(snapshot.vlan)) return Reason::no_room;
  return answer ? Reason::control_announce : Reason::control_frame;
}

}  // namespace qure
