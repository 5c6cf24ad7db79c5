// A poll-mode worker: one RunOnce is receive, process, transmit. It sleeps when there is nothing to do.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "dataplane/counters.h"
#include "dataplane/frame.h"
#include "dataplane/lease_gate.h"
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
};

// Whether a control frame is sourced from a service MAC: travels in its mbuf through the control ring.
void MarkControlFrame(rte_mbuf* mbuf, bool answer);

class Worker {
 public:
  Worker(const WorkerOptions& options, Publisher* publisher, LeaseGate* gate, WorkerCounters* counters);

  // Runs until `stop`: rounds under load, sleep when idle.
  void Run(const std::atomic<bool>& stop);

  // One round. Returns the number of frames it saw. A snapshot must have been published, and the reader be online.
  size_t RunOnce();

 private:
  enum class From : uint8_t { kLan, kHost };

  // Gathers frames for one port, to be sent together: at most a burst from each of LAN, host and control.
  struct TxQueue {
    static constexpr uint16_t kCapacity = 3 * kBurst;
    uint16_t count = 0;
    std::array<rte_mbuf*, kCapacity> mbufs;
    std::array<Reason, kCapacity> reasons;
    std::array<From, kCapacity> from;
  };
  using Mbufs = std::array<rte_mbuf*, kBurst>;

  void CheckStall();
  size_t ReceiveLan(const Snapshot& snapshot);
  size_t ReceiveHost(const Snapshot& snapshot);
  size_t ReceiveControl(const Snapshot& snapshot);
  void Load(From from, uint16_t count, Mbufs* mbufs, PortCounters* port);
  void Dispatch(From from, const Mbufs& mbufs);
  void FlushLan();
  void WithholdAnswers();
  void Transmit(uint16_t port, Reason full, TxQueue* queue, PortCounters* port_counters);
  void Finish(From from, Reason reason);

  void ReportEvents();
  void SendEvent(const Event& event);

  void WatchInterrupts();
  void Idle();

  const WorkerOptions options_;
  Publisher* const publisher_;
  StallGuard stall_guard_;
  WorkerCounters* const counters_;
  Batch batch_;
  TxQueue to_lan_;
  TxQueue to_host_;

  MonoTime round_start_;
  MonoTime event_credit_;      // events are paid for with the time that has passed since
  bool wake_control_ = false;  // an event was sent in this round
  uint32_t empty_rounds_ = 0;
  int64_t nap_ns_ = 0;  // the next nap; grows while idle
};

}  // namespace qure
