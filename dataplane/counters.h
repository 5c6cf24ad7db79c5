// What a worker has done. Written by its worker alone, read by anyone at any time.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "proto/flow.h"
#include "proto/reason.h"

namespace qure {

// A counter with one writer: a plain add, but never torn for readers.
class Counter {
 public:
  void Add(uint64_t n) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_ = 0;
};

// A value with one writer. Whoever reads it sees what its writer did before.
class Gauge {
 public:
  void Set(int64_t value) { value_.store(value, std::memory_order_release); }
  int64_t value() const { return value_.load(std::memory_order_acquire); }

 private:
  std::atomic<int64_t> value_ = 0;
};

struct PortCounters {
  Counter rx_frames;
  Counter rx_bytes;
  Counter tx_frames;
  Counter tx_bytes;
};

struct alignas(64) WorkerCounters {
  // Where a frame came in, by reason; control frames are counted with the LAN.
  std::array<Counter, kReasonCount> lan_reasons;
  std::array<Counter, kReasonCount> host_reasons;
  PortCounters lan;
  PortCounters host;
  Counter rounds;       // turns of the loop
  Counter busy_rounds;  // with at least one frame
  Counter sleeps;
  Counter sleep_ns;
  Counter stalls;
  Counter events_lost;  // the ring to the control thread was full
  Gauge flows;          // in the worker's table; these five are FlowTableCounts, as of the last tick
  Gauge flows_inserted;
  Gauge flows_expired;
  Gauge flows_displaced;
  Gauge flows_refused;
  Gauge flow_round;                             // Balance::report_round up to which every flow of ours was looked at
  std::array<Gauge, kMaxNodes> flows_by_owner;  // as of the last pass over the table
  // All that arrived in this worker's receive queue before this time has been received.
  Gauge received_before_ns;
};

}  // namespace qure
