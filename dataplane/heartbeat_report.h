// The heartbeater's own numbers: copied now and then by its worker, read by anyone at any time. The numbers are each
// right, but not all of one instant.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>

#include "dataplane/lease/heartbeater.h"
#include "dataplane/pipeline/counters.h"

namespace qure {

class HeartbeatReport {
 public:
  // The heartbeater's worker alone.
  void Set(const HeartbeatCounters& counters, const HeartbeatStatus& status) {
    heartbeats_sent_.Set(static_cast<int64_t>(counters.heartbeats_sent));
    acks_sent_.Set(static_cast<int64_t>(counters.acks_sent));
    heartbeats_received_.Set(static_cast<int64_t>(counters.heartbeats_received));
    acks_received_.Set(static_cast<int64_t>(counters.acks_received));
    for (size_t i = 0; i < rejected_.size(); ++i) rejected_[i].Set(static_cast<int64_t>(counters.rejected[i]));
    lease_ns_.Set(status.lease.ns);
    longest_gap_ns_.Set(status.longest_gap.ns);
    round_trip_ns_.Set(status.round_trip.ns);
    lease_until_ns_.Set(status.lease_until.ns);
    clock_ppm_.Set(status.clock_ppm);
  }

  HeartbeatCounters counters() const {
    HeartbeatCounters counters;
    counters.heartbeats_sent = static_cast<uint64_t>(heartbeats_sent_.value());
    counters.acks_sent = static_cast<uint64_t>(acks_sent_.value());
    counters.heartbeats_received = static_cast<uint64_t>(heartbeats_received_.value());
    counters.acks_received = static_cast<uint64_t>(acks_received_.value());
    for (size_t i = 0; i < rejected_.size(); ++i) counters.rejected[i] = static_cast<uint64_t>(rejected_[i].value());
    return counters;
  }
  HeartbeatStatus status() const {
    return {.lease = {lease_ns_.value()},
            .longest_gap = {longest_gap_ns_.value()},
            .round_trip = {round_trip_ns_.value()},
            .lease_until = {lease_until_ns_.value()},
            .clock_ppm = clock_ppm_.value()};
  }

 private:
  Gauge heartbeats_sent_;
  Gauge acks_sent_;
  Gauge heartbeats_received_;
  Gauge acks_received_;
  std::array<Gauge, std::tuple_size_v<decltype(HeartbeatCounters::rejected)>> rejected_;
  Gauge lease_ns_;
  Gauge longest_gap_ns_;
  Gauge round_trip_ns_;
  Gauge lease_until_ns_;
  Gauge clock_ppm_;
};

}  // namespace qure
