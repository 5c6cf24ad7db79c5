// How fast this node's clock runs beside its master's, from the times at which heartbeats were sent and arrived. A
// kernel that calibrated its clock wrongly cannot notice it: all its clocks agree. The lease holds only as long as what
// the deputy waits is longer than what the master may use, each by its own clock. No clock here: the simulator runs
// this very code.
#pragma once

#include <array>
#include <cstdint>

#include "proto/time.h"

namespace qure {

class ClockRatio {
 public:
  static constexpr int64_t kEqual = 1'000'000;    // ratios are parts per million: this clock's rate by the master's
  static constexpr int64_t kTolerance = 100'000;  // beyond this either way the two do not make a lease
  static constexpr Duration kFirstWindow = Milliseconds(60);
  static constexpr Duration kLongestWindow = Seconds(2);
  // Three of at least this length are no jitter; a pause that one of the clocks hides shows in two.
  static constexpr Duration kSureWindow = Milliseconds(900);
  static constexpr Duration kInterruption = Seconds(1);  // without a heartbeat: measured anew

  // A heartbeat that is newer than all before it.
  void OnHeartbeat(MonoTime arrival, MonoTime sent_at);

  bool measured() const { return measured_; }
  int64_t ppm() const { return ratio_; }  // kEqual before it was measured
  // Measured of late, and within the tolerance: this node may promise to take over.
  bool Fits() const;
  // Beyond the tolerance for sure: what was promised under it does not hold.
  bool Differs() const { return far_ >= 3; }
  // What a deputy waits by its own clock, so that `lease` has passed on the master's.
  Duration Wait(Duration lease) const;

 private:
  struct Sample {
    MonoTime arrival;
    MonoTime sent_at;
    Duration offset() const { return Duration{arrival.ns - sent_at.ns}; }
  };
  static bool IsFar(int64_t ratio) { return ratio > kEqual + kTolerance || ratio < kEqual - kTolerance; }
  void Restart(const Sample& sample);
  void EndWindow();
  void Estimate(const Sample& from, const Sample& to);

  bool started_ = false;
  bool measured_ = false;
  int64_t ratio_ = kEqual;    // the newest …
  int64_t ratio_before_ = 0;  // … and the one before
  int far_ = 0;               // estimates in a row over long windows that were beyond the tolerance
  MonoTime last_;             // arrival
  MonoTime window_start_;
  Duration window_ = kFirstWindow;
  int complete_ = 0;              // windows since the start
  Sample quickest_;               // of the window under way: delayed the least
  std::array<Sample, 2> before_;  // of the two windows before it, the later one first
};

}  // namespace qure
