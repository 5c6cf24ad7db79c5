// A poll-mode worker: one RunOnce is receive, process, transmit. It sleeps when there is nothing to do.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "dataplane/cluster_worker.h"
#include "dataplane/lease/lease_gate.h"
#include "dataplane/pipeline/counters.h"
#include "dataplane/pipeline/flow_keeper.h"
#include "dataplane/pipeline/frame.h"
#include "dataplane/publisher.h"
#include "proto/time.h"

struct rte_mbuf;
struct rte_ring;

namespace qure {

struct WorkerOptions {
  unsigned id = 0;  // also the reader id of the publisher
  uint16_t lan_port = 0;
  uint16_t host_port = 0;
  uint16_t queue = 0;           // the same number on both ports
  uint16_t max_frame = 1518;    // longer ones fit neither port: MTU, Ethernet header and VLAN tag
  bool interrupts = false;      // both ports can wake a sleeping worker
  rte_ring* control = nullptr;  // mbufs from the control thread; null for all workers but one
  rte_ring* events = nullptr;   // Event elements to the control thread
  int event_fd = -1;            // eventfd that wakes the control thread
  ClusterOptions cluster;
  FlowOptions flows;
  rte_ring* flow_reports = nullptr;  // PinnedFlow elements to the control thread: flows that this node owns
  rte_ring* flow_lessons = nullptr;  // PinnedFlow elements from it: flows that others own
};

// Whether a control frame is sourced from a service MAC: travels in its mbuf through the control ring.
void MarkControlFrame(rte_mbuf* mbuf, bool answer);

class Worker {
 public:
  Worker(const WorkerOptions& options, Publisher* publisher, LeaseGate* gate, WorkerCounters* counters);

  // Runs until `stop`: rounds under load, sleep when idle.
  void Run(const std::atomic<bool>& stop);

  // One round. Returns the number of frames it saw, but for heartbeats: those come whether there is work or not. A
  // snapshot must have been published, and the reader be online.
  size_t RunOnce();

  // When a sleeper has to be awake for the heartbeater.
  MonoTime next_deadline() const { return cluster_.deadline(); }

 private:
  enum class From : uint8_t { kLan, kHost };

  // Events are paid for with the time that has passed since; a burst of them with time saved up.
  struct Budget {
    Duration cost;
    Duration saved;  // at most
    MonoTime spent_until;
    bool Take(MonoTime now);
  };

  // Gathers frames for one port, to be sent together: at most a burst from each of LAN, host and control.
  struct TxQueue {
    static constexpr uint16_t kCapacity = 3 * kBurst;
    uint16_t count = 0;
    std::array<rte_mbuf*, kCapacity> mbufs;
    std::array<Reason, kCapacity> reasons;
    std::array<From, kCapacity> from;
  };
  // An answer that met a lease in doubt, and waits for it to be renewed.
  struct Held {
    rte_mbuf* mbuf;
    Reason reason;
    From from;
  };
  using Mbufs = std::array<rte_mbuf*, kBurst>;

  Duration CheckStall();
  size_t ReceiveLan(const Snapshot& snapshot);
  size_t ReceiveHost(const Snapshot& snapshot);
  size_t ReceiveControl(const Snapshot& snapshot);
  void NoteReceived(uint16_t count);
  void TendFlows(const Snapshot& snapshot);
  void NoteControlAlive(Duration stall);
  void Load(From from, uint16_t count, Mbufs* mbufs, PortCounters* port);
  void Dispatch(From from, const Mbufs& mbufs);
  void ToCluster(Reason reason, size_t index, rte_mbuf* mbuf);
  void FlushLan();
  bool MayTransmit() const;
  void WithholdAnswers();
  void HoldOrDrop(const Held& answer);
  void ReleaseHeld();
  void DropHeld();
  void Transmit(uint16_t port, Reason full, TxQueue* queue, PortCounters* port_counters);
  void Finish(From from, Reason reason);

  void ReportEvents();
  bool SendEvent(const Event& event);
  void SendSurely(const Event& event);
  void SendWaiting();
  Budget* BudgetOf(EventKind kind);

  void WatchInterrupts();
  void Idle();
  void AwaitInterrupt(int wait_ms);

  const WorkerOptions options_;
  Publisher* const publisher_;
  LeaseGate* const gate_;
  StallGuard stall_guard_;
  WorkerCounters* const counters_;
  ClusterWorker cluster_;
  FlowKeeper flows_;
  Batch batch_;
  TxQueue heartbeats_;  // leave before to_lan_
  std::vector<Held> held_;
  MonoTime held_since_;
  TxQueue to_lan_;
  TxQueue to_host_;

  MonoTime round_start_;
  MonoTime full_since_;         // since then every burst from the LAN was a full one …
  uint32_t full_frames_ = 0;    // … of so many frames together
  size_t heartbeats_seen_ = 0;  // in this round
  Budget events_budget_;
  // Of what anybody may repeat at will, each kind has its own.
  Budget wanted_budget_;
  Budget service_mac_budget_;
  Budget unanswered_budget_;
  Budget group_query_budget_;
  std::vector<Event> waiting_;  // must not be lost, and found no room in the ring
  bool wake_control_ = false;   // an event was sent in this round
  uint32_t empty_rounds_ = 0;
  int64_t nap_ns_ = 0;  // the next nap; grows while idle
};

}  // namespace qure
