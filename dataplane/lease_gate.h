// The lease gate: whether a frame may leave from a service MAC at this instant. Asked just before transmit, for every
// such frame. No DPDK, no clock: the simulator runs this very code.
#pragma once

#include <atomic>
#include <cstdint>

#include "proto/time.h"

namespace qure {

// A node alone holds its own lease. What remains to be proven is that it is awake: a worker or control thread that
// stood still may have been paused while someone else took the address.
struct LeaseLimits {
  Duration max_gap = Milliseconds(100);       // a longer gap between two rounds of a worker is a stall
  Duration listen = Milliseconds(50);         // after a stall: stay silent, hear whether someone else claims
  Duration max_control_silence = Seconds(1);  // a control thread that does not beat for longer has lost the role
};

// Shared by the control thread and all workers.
class LeaseGate {
 public:
  explicit LeaseGate(LeaseLimits limits = {}) : limits_(limits) {}

  // Control thread.
  void Open(MonoTime now);
  void Shut();
  void Beat(MonoTime now);  // "the control thread is alive"; at least every max_control_silence / 4

  // Any thread.
  bool granted() const { return granted_.load(std::memory_order_acquire); }
  bool MayTransmit(MonoTime now) const;

 private:
  friend class StallGuard;

  const LeaseLimits limits_;
  std::atomic<bool> granted_ = false;         // written by the control thread
  std::atomic<int64_t> last_beat_ns_ = 0;     // written by the control thread
  std::atomic<int64_t> listen_until_ns_ = 0;  // written by whichever worker stalled, only ever raised
};

// One per worker: watches that its loop goes round. Takes two clocks, because a hypervisor hides a pause from one of
// them.
class StallGuard {
 public:
  explicit StallGuard(LeaseGate* gate) : gate_(gate) {}

  // Called at the start of each round. Returns the length of the stall that it found, or zero; a stall shuts the gate
  // until `clock` + listen.
  Duration Round(MonoTime clock, MonoTime tsc);

  // Just before transmit: the gate is open and this round has not itself stood still.
  bool MayTransmit(MonoTime clock, MonoTime tsc) const;

 private:
  Duration Gap(MonoTime clock, MonoTime tsc) const;

  LeaseGate* gate_;
  bool started_ = false;
  MonoTime last_clock_;
  MonoTime last_tsc_;
};

}  // namespace qure
