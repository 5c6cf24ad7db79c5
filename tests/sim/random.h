// The simulator's only source of chance: small, fast, the same on every machine for the same seed.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "proto/time.h"

namespace qure::sim {

__extension__ using Wide = unsigned __int128;

// splitmix64 (Steele et al. 2014). A uniform random bit generator, so the control core takes it too.
class Random {
 public:
  using result_type = uint64_t;
  explicit Random(uint64_t seed) : state_(seed) {}

  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return UINT64_MAX; }

  uint64_t operator()() {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  uint64_t Below(uint64_t n) { return static_cast<uint64_t>((static_cast<Wide>((*this)()) * n) >> 64); }
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(Below(static_cast<uint64_t>(high - low) + 1));
  }
  Duration Between(Duration low, Duration high) { return {Between(low.ns, high.ns)}; }
  bool Chance(double p) { return p > 0 && static_cast<double>((*this)() >> 11) * 0x1p-53 < p; }
  std::array<uint8_t, 16> Id() {
    const std::array<uint64_t, 2> words{(*this)(), (*this)()};
    return std::bit_cast<std::array<uint8_t, 16>>(words);
  }
  // A generator of its own for another part of the world.
  uint64_t Fork() { return (*this)() ^ 0x5851f42d4c957f2d; }

 private:
  uint64_t state_;
};

}  // namespace qure::sim
