// The heartbeater: sends and acknowledges heartbeats, keeps the lease, watches the master. Runs in worker 0, so that a
// heartbeat proves the data path. No DPDK, no clock, no socket: the simulator runs this very code.
//
// The lease. The master sends a heartbeat every `interval`; the deputy echoes it. The master may transmit until
// (send time of the newest acknowledged heartbeat) + 3/4 D; the deputy acts no sooner than the latest of all
// (receive time of a heartbeat) + D. As a heartbeat is received after it is sent, the master stops first, whatever the
// network does, if their clocks' rates differ by less than 25 %. (Gray and Cheriton 1989, "Leases", §2.) The deputy
// measures how they differ (ClockRatio) and waits accordingly longer; beyond ± 10 % it does not act at all.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "dataplane/lease/clock_ratio.h"
#include "dataplane/lease/lease_gate.h"
#include "proto/bytes.h"
#include "proto/cluster/heartbeat.h"
#include "proto/cluster/heartbeat_plan.h"
#include "proto/event.h"
#include "proto/time.h"

namespace qure {

inline constexpr Duration kVetoLead = Milliseconds(3);  // from kMasterSuspect to kMasterSilent, at least
// Longer than GateLimits::max_control_silence: the master has shut its gate by then.
inline constexpr Duration kControlDeath = Milliseconds(1100);
inline constexpr Duration kStaleInterval = Milliseconds(10);  // between two kStaleHeartbeat

// From the measured gaps between arrivals to the lease they ask for: half as much again as the longest gap of the
// last 4 to 8 s, plus an interval, within the limits. Until 4 s have been measured, no less than the plan's first
// lease.
class JitterWatch {
 public:
  // Longer than any lease could bridge: an outage, not jitter.
  static constexpr Duration kLongestGap = Milliseconds(200);

  void OnArrival(MonoTime now);
  void Interrupted();  // the next gap is not the network's
  Duration Wanted(const HeartbeatPlan& plan) const;
  Duration longest() const;

 private:
  void OnGap(MonoTime now, Duration gap);

  bool started_ = false;   // last_ is an arrival
  bool measured_ = false;  // a whole window is complete
  MonoTime last_;
  MonoTime window_start_ = kNever;
  Duration longest_now_;     // of the window under way
  Duration longest_before_;  // of the window before
};

// Why a heartbeat was not accepted: counted, never acted on.
enum class HeartbeatReject : uint8_t { kNone, kUnexpected, kUnauthentic, kReplayed, kMalformed, kOtherTerm };
inline constexpr std::array<std::string_view, 6> kHeartbeatRejectNames = {"none",     "unexpected", "unauthentic",
                                                                          "replayed", "malformed",  "other_term"};

struct HeartbeatCounters {  // plain numbers: one writer, the worker publishes them
  uint64_t heartbeats_sent = 0;
  uint64_t acks_sent = 0;
  uint64_t heartbeats_received = 0;
  uint64_t acks_received = 0;
  std::array<uint64_t, kHeartbeatRejectNames.size()> rejected{};  // by HeartbeatReject
};

struct HeartbeatStatus {
  Duration lease;         // D in force
  Duration longest_gap;   // between arrivals, recently
  Duration round_trip;    // of the last acknowledged heartbeat (master)
  MonoTime lease_until;   // master: its own end; deputy: when it would act
  int64_t clock_ppm = 0;  // deputy: ClockRatio::ppm; 0: not measured
};

class Heartbeater {
 public:
  // `send` takes a sealed UDP payload for the plan's peer; it is called from within Round and Receive. `salt` gives 16
  // random bytes. `gate` outlives the heartbeater.
  using Send = std::function<void(const HeartbeatPlan& plan, ConstBytes datagram)>;
  using Salt = std::function<std::array<uint8_t, 16>()>;
  using Emit = std::function<void(const Event& event)>;
  Heartbeater(LeaseGate* gate, Send send, Salt salt, Emit emit);

  // Takes up `plan` if it is new (null: silent); Round does so too. A worker does it before it receives, so that what
  // comes is judged by the newest plan.
  void Use(MonoTime now, const std::shared_ptr<const HeartbeatPlan>& plan);

  // A datagram of the heartbeat channel (EnvelopeHeader::channel) from the LAN. `now` was read after it was received:
  // an earlier time would shorten what the master relies on.
  HeartbeatReject Receive(MonoTime now, ConstBytes datagram);

  // Once in each round of the worker, after all that had arrived was received. `plan` is the snapshot's (null: silent);
  // a new pointer is a new plan. `stall`: what StallGuard::Round found in this round. `emptied`: the receive queue was
  // found empty, so silence is silence.
  //
  // `now` was read before this call: heartbeats carry it as their send time.
  void Round(MonoTime now, const std::shared_ptr<const HeartbeatPlan>& plan, Duration stall, bool emptied);

  // When Round has something to do next: a sleeping worker wakes for it. One that has passed is done as soon as the
  // receive queue is found empty of what came before it.
  MonoTime NextDeadline() const;

  const HeartbeatCounters& counters() const { return counters_; }
  HeartbeatStatus status() const;

 private:
  // The counters already seen of one boot. Kept after its plan has gone, so that nothing is accepted twice.
  struct SeenBoot {
    BootId boot{};
    ReplayWindow window;
  };
  static constexpr size_t kSeenBoots = 16;

  // What makes a new plan the continuation of an old one.
  struct Bond {
    HeartbeatRole role = HeartbeatRole::kSilent;
    Term term;
    uint64_t opening = 0;
    BootId peer{};
    friend bool operator==(const Bond&, const Bond&) = default;
  };
  static Bond BondOf(const HeartbeatPlan& plan);

  HeartbeatReject Accept(MonoTime now, ConstBytes datagram);
  ReplayWindow* WindowOf(const BootId& boot);
  void OnOtherTerm(MonoTime now, const Heartbeat& heartbeat);
  void NoteArrival(MonoTime now);
  void SendHeartbeat(const Heartbeat& heartbeat);
  void Report(EventKind kind);

  void BeginLead(MonoTime now, bool same_peer);
  bool Bound() const;
  bool TryBind(MonoTime now);
  HeartbeatReject OnAck(MonoTime now, const Heartbeat& ack);
  void Renew(MonoTime now, const Heartbeat& ack);
  void SendRequest(MonoTime now);
  void WatchLease(MonoTime now);
  MonoTime LostAt() const;
  MonoTime LapsedAt() const;

  void BeginFollow(MonoTime now);
  HeartbeatReject OnRequest(MonoTime now, const Heartbeat& heartbeat);
  bool MasterControlLives(MonoTime now, uint64_t liveness);
  void WatchMaster(MonoTime now, Duration gap, bool emptied);
  MonoTime SilentAt() const;
  void ReportClocks();

  LeaseGate* const gate_;
  const Send send_;
  const Salt salt_;
  const Emit emit_;
  std::shared_ptr<const HeartbeatPlan> plan_;  // null: silent
  HeartbeatCounters counters_;
  std::array<SeenBoot, kSeenBoots> seen_{};
  size_t next_seen_ = 0;  // the oldest, replaced next
  uint64_t counter_ = 0;  // of our envelopes; never reset within a boot
  JitterWatch jitter_;    // of what comes from the peer …
  BootId jitter_of_{};    // … that is this boot
  MonoTime last_round_ = kNever;
  MonoTime next_stale_;  // no kStaleHeartbeat before

  // Master.
  uint64_t sequence_ = 0;  // never reset within a boot
  MonoTime next_heartbeat_ = kNever;
  Duration lease_;                 // D that heartbeats carry
  Bond bound_to_;                  // the gate is bound for this one
  uint64_t first_of_plan_ = 0;     // acknowledgements of earlier heartbeats are of another plan: offers, another deputy
  GateMarks marks_at_heartbeat_;   // known when the newest heartbeats were sent …
  uint64_t first_after_mark_ = 0;  // … from this sequence on: earlier ones prove nothing about what they count
  MonoTime lease_until_;           // latest of all acknowledged send times + 3/4 D
  MonoTime deputy_until_;          // latest of all acknowledged send times + D
  MonoTime window_start_;          // silence counts from here: newest acknowledged send time, binding or own stall
  bool reported_lost_ = false;
  bool reported_lapsed_ = false;
  bool reported_ready_ = false;
  Duration round_trip_;

  // Deputy.
  Term watched_;                  // whose heartbeats the following is about; survives other plans
  std::optional<Term> given_up_;  // reported silent: nothing of this term is ever acknowledged again
  bool bound_ = false;            // the newest heartbeat was a binding one
  uint64_t newest_ = 0;           // sequence of the newest heartbeat
  MonoTime expiry_;               // latest of all receive times + D; never moves back within a term
  Duration bound_lease_;
  ClockRatio clocks_;  // ours by the master's
  bool reported_differ_ = false;
  uint64_t control_liveness_ = 0;
  MonoTime control_seen_;  // when control_liveness_ last grew
  bool reported_suspect_ = false;
  bool reported_silent_ = false;
  MonoTime suspected_at_;
};

}  // namespace qure
