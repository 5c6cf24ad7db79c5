#include "dataplane/lease_gate.h"

#include <algorithm>

namespace qure {

void LeaseGate::Open(MonoTime now) {
  Beat(now);
  granted_.store(true, std::memory_order_release);
}

void LeaseGate::Shut() {
  granted_.store(false, std::memory_order_release);
}

void LeaseGate::Beat(MonoTime now) {
  last_beat_ns_.store(now.ns, std::memory_order_release);
}

bool LeaseGate::MayTransmit(MonoTime now) const {
  if (!granted_.load(std::memory_order_acquire)) return false;
  if (now.ns < listen_until_ns_.load(std::memory_order_acquire)) return false;
  return now.ns - last_beat_ns_.load(std::memory_order_acquire) <= limits_.max_control_silence.ns;
}

Duration StallGuard::Gap(MonoTime clock, MonoTime tsc) const {
  return std::max(clock - last_clock_, tsc - last_tsc_);
}

Duration StallGuard::Round(MonoTime clock, MonoTime tsc) {
  const Duration gap = started_ ? Gap(clock, tsc) : Duration{};
  started_ = true;
  last_clock_ = clock;
  last_tsc_ = tsc;
  if (gap <= gate_->limits_.max_gap) return {};
  const int64_t until = (clock + gate_->limits_.listen).ns;
  int64_t seen = gate_->listen_until_ns_.load(std::memory_order_relaxed);
  while (seen < until && !gate_->listen_until_ns_.compare_exchange_weak(seen, until, std::memory_order_acq_rel)) {
  }
  return gap;
}

bool StallGuard::MayTransmit(MonoTime clock, MonoTime tsc) const {
  return Gap(clock, tsc) <= gate_->limits_.max_gap && gate_->MayTransmit(clock);
}

}  // namespace qure
