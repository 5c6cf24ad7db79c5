#include "dataplane/clocks.h"

#include <rte_cycles.h>

#include "dataplane/dataplane.h"

namespace qure {
namespace {

MonoTime TscNow() {
  const uint64_t hz = rte_get_tsc_hz();
  const uint64_t tsc = rte_rdtsc();
  return {static_cast<int64_t>(tsc / hz * 1'000'000'000 + tsc % hz * 1'000'000'000 / hz)};
}

}  // namespace

// A preemption between the two readings would pass for a pause that one of the clocks hides.
Clocks ReadClocks() {
  constexpr Duration kOneInstant = Microseconds(50);
  constexpr int kTries = 3;
  Clocks read;
  for (int i = 0; i < kTries; ++i) {
    const MonoTime before = TscNow();
    read = {.clock = Now(), .tsc = TscNow()};
    if (read.tsc - before <= kOneInstant) break;
  }
  return read;
}

bool MayTransmitNow(const StallGuard& guard) {
  const Clocks now = ReadClocks();
  return guard.MayTransmit(now.clock, now.tsc);
}

}  // namespace qure
