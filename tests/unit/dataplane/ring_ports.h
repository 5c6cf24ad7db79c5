// Two DPDK ports made of rings, a pool of mbufs and the rings to the control thread: the world of one worker, without
// devices.
#pragma once

#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <cstdint>
#include <vector>

#include "dataplane/cluster_worker.h"
#include "proto/event.h"
#include "tests/support/packets.h"

namespace qure::testing {

inline constexpr unsigned kPortRing = 64;  // of which a ring holds one less
inline constexpr unsigned kPortRingCapacity = kPortRing - 1;

// What lies on the other side of a port.
struct RingPort {
  uint16_t id = 0;
  rte_ring* to_worker = nullptr;
  rte_ring* from_worker = nullptr;

  void Send(rte_mbuf* mbuf) const;
  std::vector<Bytes> Take() const;  // all that the worker has transmitted; frees the mbufs
};

// Made once per process, empty between tests.
struct RingWorld {
  rte_mempool* pool = nullptr;
  RingPort lan;
  RingPort host;
  rte_ring* control = nullptr;
  rte_ring* events = nullptr;
  ControlRings cluster;            // each holds 63, as the ports do
  rte_ring* heartbeats = nullptr;  // from other workers
  rte_ring* few_events = nullptr;  // holds three
  rte_ring* flow_reports = nullptr;
  rte_ring* flow_lessons = nullptr;
  int event_fd = -1;

  static RingWorld& Get();

  rte_mbuf* Mbuf(const Bytes& frame) const;
  std::vector<Event> TakeEvents() const;
  unsigned mbufs_in_use() const { return rte_mempool_in_use_count(pool); }
};

}  // namespace qure::testing
