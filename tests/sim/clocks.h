// The clocks of one machine: what its processes read while world time goes by.
#pragma once

#include "proto/time.h"

namespace qure::sim {

class MachineClocks {
 public:
  MachineClocks() = default;
  MachineClocks(MonoTime origin, MonoTime tsc_origin, int64_t rate_ppm, uint64_t wall_ms)
      : origin_(origin), tsc_origin_(tsc_origin), rate_ppm_(rate_ppm), wall_ms_(wall_ms) {}

  // CLOCK_MONOTONIC: stands still while a hypervisor hides a pause from it.
  MonoTime Monotonic(MonoTime world) const {
    const MonoTime until = frozen_ ? frozen_at_ : world;
    return origin_ + Local(Duration{until.ns} - hidden_);
  }
  MonoTime Tsc(MonoTime world) const {
    const MonoTime until = tsc_frozen_ ? frozen_at_ : world;
    return tsc_origin_ + Local(Duration{until.ns} - tsc_hidden_);
  }
  // May be set, and wrong.
  uint64_t WallMs(MonoTime world) const {
    return static_cast<uint64_t>(static_cast<int64_t>(wall_ms_) + world.ns / Milliseconds(1).ns);
  }
  void JumpWall(Duration by) { wall_ms_ = static_cast<uint64_t>(static_cast<int64_t>(wall_ms_) + by.ns / 1'000'000); }

  // World time at which CLOCK_MONOTONIC shows `local`, as far as can be seen.
  MonoTime WorldAt(MonoTime world, MonoTime local) const {
    if (local == kNever) return kNever;
    const Duration left = local - Monotonic(world);
    if (left.ns <= 0) return world;
    return world + Duration{left.ns - left.ns * rate_ppm_ / 1'000'000 + 1};
  }

  void Freeze(MonoTime world) {
    if (frozen_) return;
    frozen_ = true;
    frozen_at_ = world;
  }
  // After Freeze, at the same time: the time stamp counter, too.
  void FreezeTsc() { tsc_frozen_ = frozen_; }
  void Thaw(MonoTime world) {
    if (!frozen_) return;
    frozen_ = false;
    if (tsc_frozen_) tsc_hidden_ = tsc_hidden_ + (world - frozen_at_);
    tsc_frozen_ = false;
    hidden_ = hidden_ + (world - frozen_at_);
  }

 private:
  Duration Local(Duration world) const { return {world.ns + world.ns * rate_ppm_ / 1'000'000}; }

  MonoTime origin_;
  MonoTime tsc_origin_;
  int64_t rate_ppm_ = 0;
  uint64_t wall_ms_ = 0;
  bool frozen_ = false;
  MonoTime frozen_at_;
  Duration hidden_;
  bool tsc_frozen_ = false;
  Duration tsc_hidden_;
};

}  // namespace qure::sim
