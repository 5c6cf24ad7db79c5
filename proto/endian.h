// Integers as they stand on the wire: most significant byte first, at any alignment, and never mistaken for a host
// integer.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace qure {

// A big-endian integer. There is no implicit conversion either way: construct it from a host value, read it with
// value().
template <std::unsigned_integral T>
class BigEndian {
 public:
  constexpr BigEndian() = default;
  explicit constexpr BigEndian(T host) : bytes_(std::bit_cast<Bytes>(Swap(host))) {}

  constexpr T value() const { return Swap(std::bit_cast<T>(bytes_)); }
  // The wire bytes read as a host integer: for hashing and for checksums, which do not care about byte order.
  constexpr T raw() const { return std::bit_cast<T>(bytes_); }

  friend constexpr bool operator==(BigEndian a, BigEndian b) { return a.raw() == b.raw(); }

 private:
  using Bytes = std::array<uint8_t, sizeof(T)>;

  static constexpr T Swap(T v) {
    if constexpr (std::endian::native == std::endian::big || sizeof(T) == 1) return v;
    if constexpr (sizeof(T) == 2) return __builtin_bswap16(v);
    if constexpr (sizeof(T) == 4) return __builtin_bswap32(v);
    if constexpr (sizeof(T) == 8) return __builtin_bswap64(v);
  }

  Bytes bytes_{};
};

using Be16 = BigEndian<uint16_t>;
using Be32 = BigEndian<uint32_t>;
using Be64 = BigEndian<uint64_t>;

static_assert(sizeof(Be32) == 4 && alignof(Be32) == 1);

}  // namespace qure
