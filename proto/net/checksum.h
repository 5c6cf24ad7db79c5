// The Internet checksum: whole (RFC 1071) and incremental (RFC 1624).
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

#include "proto/bytes.h"
#include "proto/endian.h"
#include "proto/net/address.h"

namespace qure {

// A running one's-complement sum in wire byte order. Every piece but the last must have an even length.
class ChecksumAccumulator {
 public:
  void Add(ConstBytes bytes);
  template <size_t kSize>
  void Add(std::span<const uint8_t, kSize> bytes) {
    static_assert(kSize != std::dynamic_extent && kSize % sizeof(uint32_t) == 0);
#pragma GCC unroll 16
    for (size_t i = 0; i < kSize; i += sizeof(uint32_t)) {
      uint32_t word;
      std::memcpy(&word, &bytes[i], sizeof(word));
      sum_ += word;
    }
  }
  void Add(Be16 word) {
    sum_ += word.raw();
  }
  // The checksum field that makes the whole sum to all ones.
  Be16 Finish() const {
    // The upper half of a word and the same word turned around is the sum of both halves, with the carry of the lower
    // one.
    const auto half = static_cast<uint32_t>((sum_ + std::rotl(sum_, 32)) >> 32);
    return std::bit_cast<Be16>(static_cast<uint16_t>(~((half + std::rotl(half, 16)) >> 16)));
  }

 private:
  uint64_t sum_ = 0;
};

// Checksum over `bytes`; 0 when `bytes` contains its own correct checksum.
Be16 InternetChecksum(ConstBytes bytes);

// The same of an IPv4 header, whose length is nearly always the one without options.
inline Be16 Ipv4HeaderChecksum(ConstBytes header) {
  constexpr size_t kPlain = 20;
  if (header.size() != kPlain) return InternetChecksum(header);
  ChecksumAccumulator sum;
  sum.Add(header.first<kPlain>());
  return sum.Finish();
}

// Checksum of an upper-layer packet with its pseudo-header (RFC 9293 §3.1 for IPv4, RFC 8200 §8.1 for IPv6); 0 when
// `segment` contains its own correct checksum.
Be16 TransportChecksum(const Ipv4Address& source, const Ipv4Address& destination, uint8_t protocol, ConstBytes segment);
Be16 TransportChecksum(const Ipv6Address& source, const Ipv6Address& destination, uint8_t protocol, ConstBytes segment);

// The sum of the pseudo-header alone, not complemented: what a sender that leaves the checksum to its network card puts
// into the field. `length`: of the segment.
Be16 PseudoHeaderSum(const Ipv4Address& source, const Ipv4Address& destination, uint8_t protocol, size_t length);
Be16 PseudoHeaderSum(const Ipv6Address& source, const Ipv6Address& destination, uint8_t protocol, size_t length);

// The new value of a checksum field after one 16-bit word under it changed (RFC 1624 equation 3).
Be16 UpdateChecksum(Be16 checksum, Be16 old_word, Be16 new_word);
// The same for a run of bytes of equal, even length at an even offset.
Be16 UpdateChecksum(Be16 checksum, ConstBytes old_bytes, ConstBytes new_bytes);

}  // namespace qure
