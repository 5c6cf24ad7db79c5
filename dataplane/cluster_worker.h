// A worker's part in the cluster: datagrams go to the control thread, heartbeats to the heartbeater, which runs in
// worker 0.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/heartbeat_report.h"
#include "dataplane/lease/heartbeater.h"
#include "dataplane/lease/lease_gate.h"
#include "dataplane/pipeline/cluster_admission.h"
#include "dataplane/pipeline/frame.h"
#include "dataplane/pipeline/worker_progress.h"
#include "proto/cluster/datagram.h"
#include "proto/counter.h"
#include "proto/snapshot.h"
#include "proto/time.h"

struct rte_mbuf;
struct rte_mempool;
struct rte_ring;

namespace qure {

// Rings of mbufs to the control thread: what anybody can send leaves the room of the others alone. All rings here are
// made for several producers and one consumer.
struct ControlRings {
  rte_ring* messages = nullptr;   // of known boots
  rte_ring* strangers = nullptr;  // of unknown boots
  rte_ring* adoptions = nullptr;  // of nodes without keys, and to them
};

struct ClusterOptions {
  rte_mempool* pool = nullptr;  // for what the heartbeater sends
  ControlRings control;
  rte_ring* heartbeats = nullptr;           // mbufs of the other workers to worker 0
  HeartbeatReport* heartbeater = nullptr;   // the heartbeater's own numbers; null in all workers but the first
  std::span<const WorkerProgress> workers;  // of all of them
};

class ClusterWorker {
 public:
  // `unsent` counts what the heartbeater could not send for want of an mbuf.
  ClusterWorker(const ClusterOptions& options, LeaseGate* gate, Heartbeater::Emit emit, Counter* unsent);

  // At the start of a round: what is received from now on is judged by this snapshot.
  void Begin(MonoTime now, const Snapshot& snapshot);
  ClusterAdmission* admission() { return &admission_; }

  // Takes a frame of verdict kControl. False: no room, the caller still has it.
  bool Take(Reason reason, const Parsed& parsed, rte_mbuf* mbuf);

  // After everything was received. Worker 0 runs its heartbeater; what that sends has to leave before anything else.
  void RunHeartbeater(Duration stall);
  std::span<rte_mbuf*> TakeSent();

  bool leased() const { return leased_; }  // has a part in a lease: may not sleep for long
  MonoTime deadline() const;               // the heartbeater's next

 private:
  rte_ring* RingFor(Reason reason) const;
  void Receive(rte_mbuf* mbuf, uint16_t transport);
  bool ReceiveFromOthers();
  void Send(const HeartbeatPlan& plan, ConstBytes datagram);
  MonoTime ReceivedBefore() const;

  static constexpr size_t kMaxSent = 3 * kBurst;

  const ClusterOptions options_;
  ClusterAdmission admission_;
  std::optional<Heartbeater> heartbeater_;
  const Snapshot* snapshot_ = nullptr;  // of this round
  Counter* const unsent_;
  bool leased_ = false;
  bool reported_ = true;  // the heartbeater's numbers of late are in the report
  MonoTime next_report_;
  size_t sent_count_ = 0;
  std::array<rte_mbuf*, kMaxSent> sent_;
};

// The control thread's end: all that known boots have sent, and then some of the others.
std::vector<Datagram> TakeMessages(const ControlRings& rings);

}  // namespace qure
