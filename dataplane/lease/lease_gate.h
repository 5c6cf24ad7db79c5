// The lease gate: whether a frame may leave from a service MAC at this instant. Asked just before transmit, for every
// such frame. No DPDK, no clock: the simulator runs this very code.
#pragma once

#include <atomic>
#include <cstdint>

#include "dataplane/lease/backlog_watch.h"
#include "proto/time.h"

namespace qure {

enum class GateMode : uint8_t {
  kShut,
  kSolo,    // master without a deputy: no node acts on this one's silence before a second has passed
  kLeased,  // master with a deputy: only until the lease ends, see Heartbeater
};

struct GateLimits {
  // A round of a worker that comes later than this is a stall. Under lease: half of D instead.
  Duration max_gap = Milliseconds(100);
  // A control thread that has not reported to be alive for longer has lost the role. A deputy waits longer than this
  // before it acts on a hung control thread: Heartbeater's kControlDeath.
  Duration max_control_silence = Seconds(1);
};

// How much has happened of what shuts the gate until something newer proves that no other node leads.
struct GateMarks {
  uint64_t stalls = 0;
  uint64_t backlogs = 0;
  friend bool operator==(const GateMarks&, const GateMarks&) = default;
};

// Shared by the control thread and all workers.
//
// A stall, found by any worker, shuts the gate. Under lease it opens again with the acknowledgement of a heartbeat that
// was sent after the stall; solo only with the control thread's next OpenSolo, which names the stalls it knew of when
// it began to listen for another master. A link that was down counts as a stall when it is up again.
//
// A backlog (BacklogWatch) may be what is left of a pause that no clock shows. Under lease it is answered as after a
// stall: once a heartbeat that was sent later is acknowledged. Solo, once the control thread has looked at the messages
// that waited with it.
class LeaseGate {
 public:
  explicit LeaseGate(GateLimits limits = {}) : limits_(limits) {}

  // Control thread.
  void OpenSolo(uint64_t stalls_known, uint64_t opening);
  void Shut();
  void NoteControlAlive(MonoTime now);  // "the control thread is alive"; at least every max_control_silence / 4
  // All messages that were there when backlogs() was so much have been looked at. Nothing unless solo.
  void NoteMessagesHeard(uint64_t backlogs);
  // The link of the LAN port. While it is down, nothing may leave.
  void SetLink(bool up);

  // The worker that runs the heartbeater.
  // Solo → leased; false unless `opening` is the present one and solo.
  bool Bind(uint64_t opening, MonoTime until, Duration lease);
  bool Leased(uint64_t opening) const;  // `opening` is the present one and under lease
  // Never shortens; lifts what is known. Nothing unless under lease.
  void Extend(MonoTime until, Duration lease, const GateMarks& known);

  // Any thread.
  GateMode mode() const { return ModeOf(state_.load(std::memory_order_acquire)); }
  uint64_t stalls() const { return stalls_.load(std::memory_order_acquire); }
  uint64_t backlogs() const { return backlogs_.load(std::memory_order_acquire); }
  GateMarks marks() const { return {.stalls = stalls(), .backlogs = backlogs()}; }
  // A backlog waits for its proof.
  bool InDoubt() const { return backlogs_lifted_.load(std::memory_order_acquire) != backlogs(); }
  uint64_t control_liveness() const {
    return control_liveness_.load(std::memory_order_acquire);
  }  // number of NoteControlAlive calls so far
  bool MayTransmit(MonoTime now) const;

 private:
  friend class StallGuard;

  // Opening and mode are one word: a Bind that comes late cannot catch a later opening.
  static constexpr uint64_t StateOf(uint64_t opening, GateMode mode) {
    return opening << 2 | static_cast<uint64_t>(mode);
  }
  static constexpr GateMode ModeOf(uint64_t state) { return static_cast<GateMode>(state & 3); }

  static void Lift(uint64_t known, std::atomic<uint64_t>* lifted);
  Duration MaxGap() const;

  const GateLimits limits_;
  std::atomic<uint64_t> state_ = 0;    // written by the control thread; solo → leased by the heartbeater's worker
  std::atomic<int64_t> until_ns_ = 0;  // end of the lease; written by the heartbeater's worker
  std::atomic<int64_t> lease_ns_ = 0;  // D; written by the heartbeater's worker
  std::atomic<int64_t> control_alive_ns_ = 0;   // written by the control thread
  std::atomic<uint64_t> control_liveness_ = 0;  // written by the control thread
  std::atomic<uint64_t> stalls_ = 0;            // counted by whichever worker stalled
  std::atomic<uint64_t> stalls_lifted_ = 0;     // open only while equal to stalls_; written by both, only ever raised
  std::atomic<uint64_t> backlogs_ = 0;          // counted by whichever worker found one
  std::atomic<uint64_t> backlogs_lifted_ = 0;   // as stalls_lifted_
  std::atomic<bool> link_up_ = true;            // written by the control thread
};

// What a round has received from the LAN.
struct RoundReceipt {
  uint32_t frames = 0;
  bool more = false;      // as many as a round takes: others may wait
  bool rival = false;     // a frame from our service MAC was among them
  bool clustered = true;  // there may be other nodes
};

// One per worker: notices when its loop has stood still. Takes two clocks, because a hypervisor hides a pause from one
// of them; what it hides from both is known by the frames that waited.
class StallGuard {
 public:
  explicit StallGuard(LeaseGate* gate) : gate_(gate) {}

  // Called at the start of each round. Returns the length of the stall that it found, or zero; a stall shuts the gate.
  Duration Round(MonoTime clock, MonoTime tsc);

  // After each round's messages have been passed on. True if what was received may be old: the gate is in doubt, and
  // the control thread has to look at the messages.
  bool Received(MonoTime now, const RoundReceipt& receipt);

  // Just before transmit: the gate is open and this round has not stalled.
  bool MayTransmit(MonoTime clock, MonoTime tsc) const;

 private:
  Duration Gap(MonoTime clock, MonoTime tsc) const;
  bool IsStall(MonoTime clock, MonoTime tsc) const;

  // No queue holds more: solo, a backlog has ended by then, or with a round that was not full.
  static constexpr uint32_t kLongestBacklog = 8192;

  LeaseGate* gate_;
  bool started_ = false;
  MonoTime last_clock_;
  MonoTime last_tsc_;
  BacklogWatch backlog_;
  uint32_t waiting_ = 0;            // of the backlog under way there may be so many more
  MonoTime next_rival_ = kLongAgo;  // anyone can forge such frames: they count so often
};

}  // namespace qure
