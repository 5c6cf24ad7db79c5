#include "dataplane/pipeline/pipeline.h"

#include "dataplane/pipeline/arp_responder.h"
#include "dataplane/pipeline/classifier.h"
#include "dataplane/pipeline/cluster_filter.h"
#include "dataplane/pipeline/dns_responder.h"
#include "dataplane/pipeline/forwarder.h"
#include "dataplane/pipeline/host_delivery.h"
#include "dataplane/pipeline/host_filter.h"
#include "dataplane/pipeline/icmp_responder.h"
#include "dataplane/pipeline/nd_responder.h"
#include "dataplane/pipeline/return_path.h"
#include "proto/net/ethernet.h"

namespace qure {

namespace {

// An answer made in place while the address is being handed over: from the node MAC, which needs no lease and does not
// pull the switch's entry back.
Reason AnswerFrom(const Snapshot& snapshot, Reason reason, Frame* frame) {
  if (!snapshot.handing_over || VerdictOf(reason) != Verdict::kAnswer) return reason;
  reinterpret_cast<EthernetHeader*>(frame->data)->source = snapshot.node_mac;
  return Reason::handover_answer;
}

// A DNS query that was answered in place, or that this node has to ask another server.
Reason FinishDns(const Snapshot& snapshot, Reason reason, size_t index, Batch* batch) {
  if (reason == Reason::dns_forwarded) return DeliverToHost(snapshot, index, reason, batch);
  return AnswerFrom(snapshot, reason, &batch->frames[index]);
}

Reason RunStage(const Snapshot& snapshot, const WorkerMemory& memory, Lane lane, size_t index, Batch* batch) {
  switch (lane) {
    case Lane::kDone:
      break;
    case Lane::kArp:
      return RespondArp(snapshot, index, batch);
    case Lane::kNeighbor:
      return RespondNeighbor(snapshot, index, batch);
    case Lane::kEcho4:
      return AnswerFrom(snapshot, RespondEcho4(snapshot, index, batch), &batch->frames[index]);
    case Lane::kEcho6:
      return AnswerFrom(snapshot, RespondEcho6(snapshot, index, batch), &batch->frames[index]);
    case Lane::kDns4:
      return FinishDns(snapshot, RespondDns4(snapshot, memory, index, batch), index, batch);
    case Lane::kDns6:
      return FinishDns(snapshot, RespondDns6(snapshot, memory, index, batch), index, batch);
    case Lane::kCluster:
      return SortClusterDatagram(snapshot, memory.cluster, batch->frames[index], batch->parsed[index]);
    case Lane::kFlow:  // all of them were forwarded before
      break;
    case Lane::kReturn:
      return ReturnToGateway(snapshot, batch->parsed[index], &batch->frames[index]);
    case Lane::kHostService:
      return DeliverToHost(snapshot, index, Reason::host_service, batch);
    case Lane::kHostByMac:
      return DeliverByMac(snapshot, index, batch);
  }
  return batch->reasons[index];
}

}  // namespace

void ProcessLan(const Snapshot& snapshot, const WorkerMemory& memory, Batch* batch) {
  batch->event_count = 0;
  const LaneSet lanes = Classify(snapshot, batch);
  if (lanes.Any({Lane::kFlow})) ForwardFlows(snapshot, memory, batch);
  if (lanes.Any({Lane::kDns4, Lane::kDns6})) LookAheadDns(snapshot, memory, batch);
  if (lanes.Within({Lane::kDone, Lane::kFlow})) return;
  for (size_t i = 0; i < batch->count; ++i) batch->reasons[i] = RunStage(snapshot, memory, batch->lanes[i], i, batch);
}

void ProcessHost(const Snapshot& snapshot, const WorkerMemory& memory, Batch* batch) {
  batch->event_count = 0;
  for (size_t i = 0; i < batch->count; ++i) batch->reasons[i] = FilterHostFrame(snapshot, memory, &batch->frames[i]);
}

Reason ProcessControl(const Snapshot& snapshot, Reason reason, Frame* frame) {
  if (VerdictOf(reason) == Verdict::kHost || snapshot.vlan == 0) return reason;
  return frame->PushVlan(snapshot.vlan) ? reason : Reason::no_room;
}

}  // namespace qure
