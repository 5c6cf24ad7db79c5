// Tells nearly all strangers among MAC addresses by one look: a Bloom filter with a single hash function
// (B. Bloom, "Space/time trade-offs in hash coding with allowable errors", 1970).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "proto/net/address.h"

namespace qure {

// Of N addresses added, one stranger in 512 / N is taken for one of them: 1 % with five, a quarter with all that a
// snapshot can hold. Who picks an address to be taken for one of them gains nothing but a comparison.
class MacFilter {
 public:
  void Add(const MacAddress& mac) { words_[Bit(mac) / 64] |= uint64_t{1} << Bit(mac) % 64; }
  // False: was not added. True: must be compared.
  [[gnu::always_inline]] bool MayHold(const MacAddress& mac) const {
    const unsigned bit = Bit(mac);
    return (words_[bit / 64] >> bit % 64 & 1) != 0;
  }

 private:
  static constexpr unsigned kBits = 512;  // one cache line

  [[gnu::always_inline]] static unsigned Bit(const MacAddress& mac) {
    constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;  // 2^64 over the golden ratio: spreads neighbours (Fibonacci hashing)
    return static_cast<unsigned>((mac.high() | uint64_t{mac.low()} << 32) * kOdd >> 55);
  }

  std::array<uint64_t, kBits / 64> words_{};
};

}  // namespace qure
