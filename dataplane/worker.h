// A poll-mode worker: one RunOnce is receive, process, transmit. It sleeps when there is nothing to do.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "dataplane/cluster_worker.h"
#include "dataplane/event_sender.h"
#include "dataplane/held_answers.h"
#include "dataplane/idle_sleep.h"
#include "dataplane/lease/lease_gate.h"
#include "dataplane/pipeline/counters.h"
#include "dataplane/pipeline/dns_keeper.h"
#include "dataplane/pipeline/flow_keeper.h"
#include "dataplane/pipeline/frame.h"
#include "dataplane/pipeline/worker_progress.h"
#include "dataplane/publisher.h"
#include "dataplane/transmit_queue.h"
#include "proto/time.h"

struct rte_mbuf;
struct rte_ring;

namespace qure {

struct WorkerOptions {
  unsigned id = 0;  // also the reader id of the publisher
  uint16_t lan_port = 0;
  uint16_t host_port = 0;
  uint16_t queue = 0;         // the same number on both ports
  uint16_t max_frame = 1518;  // longer ones fit neither port: MTU, Ethernet header and VLAN tag
  // Of frames from the LAN of which the port says nothing.
  SegmentChecksum checksum = SegmentChecksum::kUnknown;
  bool interrupts = false;      // both ports can wake a sleeping worker
  rte_ring* control = nullptr;  // mbufs from the control thread; null for all workers but one
  rte_ring* events = nullptr;   // Event elements to the control thread
  int event_fd = -1;            // eventfd that wakes the control thread
  ClusterOptions cluster;
  FlowOptions flows;
  rte_ring* flow_reports = nullptr;  // PinnedFlow elements to the control thread: flows that this node owns
  rte_ring* flow_lessons = nullptr;  // PinnedFlow elements from it: flows that others own
};

// What a control frame is (ProcessControl): travels in its mbuf through the control ring.
void MarkControlFrame(rte_mbuf* mbuf, Reason reason);

class Worker {
 public:
  Worker(const WorkerOptions& options, Publisher* publisher, LeaseGate* gate, WorkerCounters* counters,
         WorkerProgress* progress);

  // Runs until `stop`: rounds under load, sleep when idle.
  void Run(const std::atomic<bool>& stop);

  // One round. Returns the number of frames it saw, but for heartbeats: those come whether there is work or not. A
  // snapshot must have been published, and the reader be online.
  size_t RunOnce();

  // When a sleeping worker has to wake for the heartbeater.
  MonoTime next_deadline() const { return cluster_.deadline(); }

 private:
  using Mbufs = std::array<rte_mbuf*, kBurst>;

  WorkerMemory memory() {
    return {.flows = flows_.memory(),
            .dns = dns_.memory(),
            .cluster = cluster_.admission(),
            .now = FlowTimeOf(round_start_)};
  }
  Duration CheckStall();
  size_t ReceiveLan(const Snapshot& snapshot);
  size_t ReceiveHost(const Snapshot& snapshot);
  size_t ReceiveControl(const Snapshot& snapshot);
  void NoteReceived(uint16_t count);
  void LookForBacklog(const Snapshot& snapshot, uint16_t count);
  void RunHeartbeater(Duration stall);
  void TendFlows(const Snapshot& snapshot);
  void Load(Side from, uint16_t count, Mbufs* mbufs, PortCounters* port);
  void Dispatch(Side from, const Mbufs& mbufs);
  void ToCluster(Reason reason, size_t index, rte_mbuf* mbuf);
  void ReportWayIn(const Frame& frame);
  void FlushLan();
  void ReportEvents();

  const WorkerOptions options_;
  Publisher* const publisher_;
  const LeaseGate* const gate_;
  WorkerCounters* const counters_;
  WorkerProgress* const progress_;
  StallGuard stall_guard_;
  EventSender events_;
  ClusterWorker cluster_;
  FlowKeeper flows_;
  DnsKeeper dns_;
  Batch batch_;
  TransmitQueue heartbeats_;  // leave before to_lan_
  HeldAnswers held_;
  TransmitQueue to_lan_;
  TransmitQueue to_host_;
  IdleSleep sleep_;

  MonoTime round_start_;
  MonoTime full_since_;         // since then every burst from the LAN was a full one …
  uint32_t full_frames_ = 0;    // … of so many frames together
  size_t heartbeats_seen_ = 0;  // in this round
};

}  // namespace qure
