// Random numbers from the kernel, each when it is used. A generator in our own memory is restored with it: two machines
// that go on from one snapshot would draw the same.
#pragma once

#include <sys/random.h>

#include <cstdint>
#include <ctime>

#include "proto/check.h"
#include "proto/fresh.h"

namespace qure {

// A uniform random bit generator.
class KernelRandom {
 public:
  using result_type = uint64_t;
  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return UINT64_MAX; }

  uint64_t operator()() const {
    uint64_t drawn = 0;
    // getrandom(2): up to 256 bytes come whole once the kernel's generator is ready, which it is since the boot id.
    const ssize_t got = getrandom(&drawn, sizeof(drawn), 0);
    QURE_CHECK(got == static_cast<ssize_t>(sizeof(drawn)), got);
    timespec now = {};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return Fresh(drawn, MonoTime{now.tv_nsec} + Seconds(now.tv_sec));
  }
};

}  // namespace qure
