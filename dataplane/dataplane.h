// The DPDK side of the appliance: environment, ports, rings, workers. Everything else talks to it through this page.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dataplane/lease/heartbeater.h"
#include "dataplane/lease/lease_gate.h"
#include "dataplane/pipeline/counters.h"
#include "dataplane/pipeline/flow_keeper.h"
#include "dataplane/pipeline/worker_progress.h"
#include "dataplane/port.h"
#include "proto/bytes.h"
#include "proto/cluster/datagram.h"
#include "proto/event.h"
#include "proto/net/address.h"
#include "proto/port_spec.h"
#include "proto/snapshot.h"
#include "proto/time.h"

namespace qure {

struct DataplaneOptions {
  PortSpec lan;
  unsigned workers = 1;
  std::vector<unsigned> cores;       // one per worker to pin it; empty: wherever the kernel likes
  bool huge_pages = true;            // false: ordinary memory (--no-huge)
  unsigned memory_mib = 128;         // of packet memory
  std::string file_prefix = "qure";  // distinguishes several processes (EAL --file-prefix)
  std::string host_interface = "qure0";
  size_t flows = 262'144;  // room in each worker's flow table
  FILE* log = stderr;      // where DPDK writes its messages; outlives the process's use of it
  // The host port's MAC; zero for the LAN port's own.
  MacAddress host_mac;
};

// The clock of the appliance: what the gate, the workers and the control thread compare.
MonoTime Now();

class Dataplane {
 public:
  // Initialises the environment and both ports; no frame is received yet. Once per process.
  // Errors name the port and what would help.
  static absl::StatusOr<std::unique_ptr<Dataplane>> Create(const DataplaneOptions& options);
  ~Dataplane();  // stops the workers, closes the ports

  MacAddress lan_mac() const;
  uint16_t lan_mtu() const;
  bool lan_link_up() const;
  // The greatest packet that both ports take, at most lan_mtu().
  uint16_t mtu() const;

  // Starts the workers. A snapshot must have been published.
  void Start();

  void Publish(std::shared_ptr<const Snapshot> snapshot);
  // Waits until no worker uses an older snapshot than the newest; false if that takes longer than `at_most`.
  bool AwaitWorkers(Duration at_most);
  // Frees what the workers have let go of; call it now and then.
  void Housekeep();

  LeaseGate& gate();

  // Sends an untagged frame: to the LAN with reason control_frame, or control_announce, which must pass the gate, or to
  // the kernel with reason way_in_question. False if the ring is full or no mbuf is free.
  bool Send(ConstBytes frame, Reason reason);

  // Readable when events or messages wait.
  int event_fd() const;
  // Takes the events that wait. Makes the descriptor unreadable: call TakeMessages afterwards, not before.
  std::vector<Event> TakeEvents();
  // Takes the cluster's datagrams that wait, but for heartbeats.
  std::vector<Datagram> TakeMessages();

  // Takes the workers' reports of pinned flows that this node owns.
  std::vector<PinnedFlow> TakeFlowReports();
  // Passes pinned flows that others own to every worker; what finds no room in their rings is lost.
  void LearnFlows(const std::vector<PinnedFlow>& flows);

  // What the workers' tables have for a flow; waits for their answer, some rounds at most.
  std::optional<FlowEntry> FindFlow(const FlowKey& key);
  // The remote addresses with the most flows, by worker; nothing if not all workers answer in time.
  std::optional<std::vector<TopRemotes>> FindTop();

  // Takes the samples of DNS queries that wait.
  std::vector<DnsSample> TakeDnsSamples();

  // The heartbeater's of late, from any thread.
  HeartbeatCounters heartbeat_counters() const;
  HeartbeatStatus heartbeat_status() const;

  unsigned worker_count() const;
  const WorkerCounters& counters(unsigned worker) const;
  const WorkerProgress& progress(unsigned worker) const;
  std::vector<PortStatus> ports() const;
  // The events of the ring and the mbufs in use, for status and leak checks.
  unsigned mbufs_in_use() const;

 private:
  struct Impl;
  explicit Dataplane(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace qure
