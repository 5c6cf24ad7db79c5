// What a worker has done. Written by its worker alone, read by anyone at any time.
#pragma once

#include <array>
#include <cstdint>

#include "proto/counter.h"
#include "proto/dns/query_log.h"
#include "proto/flow.h"
#include "proto/reason.h"

namespace qure {

// Where a frame came in. Control frames count as of the LAN.
enum class Side : uint8_t { kLan, kHost };

struct PortCounters {
  Counter rx_frames;
  Counter rx_bytes;
  Counter tx_frames;
  Counter tx_bytes;
};

struct alignas(64) WorkerCounters {
  // What became of frames, by where they came in. Each frame is counted once, at the end of its way.
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
  DnsQueryLog dns;      // of the queries that the packet path has dealt with
  Gauge flows;          // in the worker's table; these five are FlowTableCounts, as of the last tick
  Gauge flows_inserted;
  Gauge flows_expired;
  Gauge flows_displaced;
  Gauge flows_refused;
  std::array<Gauge, kMaxNodes> flows_by_owner;  // as of the last pass over the table

  void Count(Side from, Reason reason) {
    (from == Side::kLan ? lan_reasons : host_reasons)[static_cast<size_t>(reason)].Add(1);
  }
};

}  // namespace qure
