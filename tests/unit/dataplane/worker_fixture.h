// One worker between two ring ports, with a snapshot published and an open gate.
#pragma once

#include <gtest/gtest.h>
#include <rte_mbuf.h>
#include <sys/eventfd.h>

#include <memory>
#include <numeric>
#include <utility>

#include "dataplane/dataplane.h"
#include "dataplane/worker.h"
#include "tests/support/harness.h"
#include "tests/unit/dataplane/ring_ports.h"

namespace qure::testing {

// No pause of the machine that runs the tests is a stall, unless the test says so.
inline constexpr GateLimits kPatient = {.max_gap = Seconds(3600), .max_control_silence = Seconds(3600)};

class WorkerTest : public ::testing::Test {
 protected:
  explicit WorkerTest(const GateLimits& limits = kPatient) : gate_(limits) {}

  void SetUp() override {
    Publish(SiteSnapshot());
    publisher_.Online(0);
    gate_.NoteControlAlive(Now());
    gate_.OpenSolo(0, 1);
  }

  // Every mbuf comes back, whatever the test did.
  void TearDown() override {
    world_.lan.Take();
    world_.host.Take();
    world_.TakeEvents();
    TakeMessages(world_.cluster);
    eventfd_t woken = 0;
    eventfd_read(world_.event_fd, &woken);
    EXPECT_EQ(world_.mbufs_in_use(), 0U);
  }

  WorkerOptions Options() {
    return {.lan_port = world_.lan.id,
            .host_port = world_.host.id,
            .control = world_.control,
            .events = world_.events,
            .event_fd = world_.event_fd,
            .cluster = {.pool = world_.pool,
                        .control = world_.cluster,
                        .heartbeats = world_.heartbeats,
                        .heartbeater = &heartbeater_,
                        .workers = {&progress_, 1}},
            .flows = {.flows = kFlows, .seed = kFlowSeed},
            .flow_reports = world_.flow_reports,
            .flow_lessons = world_.flow_lessons};
  }

  void Publish(Snapshot snapshot) { publisher_.Publish(std::make_shared<const Snapshot>(std::move(snapshot))); }
  void FromLan(const Bytes& frame) { world_.lan.Send(world_.Mbuf(frame)); }
  void FromHost(const Bytes& frame) { world_.host.Send(world_.Mbuf(frame)); }
  void FromControl(const Bytes& frame, Reason reason) {
    rte_mbuf* const mbuf = world_.Mbuf(frame);
    MarkControlFrame(mbuf, reason);
    ASSERT_EQ(rte_ring_enqueue(world_.control, mbuf), 0);
  }
  bool ControlWoken() {
    eventfd_t woken = 0;
    return eventfd_read(world_.event_fd, &woken) == 0 && woken > 0;
  }

  uint64_t LanCount(Reason reason) const { return counters_.lan_reasons[static_cast<size_t>(reason)].value(); }
  uint64_t HostCount(Reason reason) const { return counters_.host_reasons[static_cast<size_t>(reason)].value(); }
  uint64_t AllCounts() const {
    const auto add = [](uint64_t sum, const Counter& counter) { return sum + counter.value(); };
    return std::accumulate(counters_.lan_reasons.begin(), counters_.lan_reasons.end(), uint64_t{0}, add) +
           std::accumulate(counters_.host_reasons.begin(), counters_.host_reasons.end(), uint64_t{0}, add);
  }

  RingWorld& world_ = RingWorld::Get();
  Publisher publisher_{1};
  LeaseGate gate_;
  HeartbeatReport heartbeater_;
  WorkerCounters counters_;
  WorkerProgress progress_;
  Worker worker_{Options(), &publisher_, &gate_, &counters_, &progress_};
};

}  // namespace qure::testing
