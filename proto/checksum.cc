#include "proto/checksum.h"

#include <bit>
#include <cstring>

namespace qure {
namespace {

// The word of type T at `p`, in wire order: one's-complement sums do not care (RFC 1071 §2 (B)).
template <typename T>
T Load(const uint8_t* p) {
  T word;
  std::memcpy(&word, p, sizeof(word));
  return word;
}

Be16 FromRaw(uint16_t raw) {
  return std::bit_cast<Be16>(raw);
}

template <typename Address>
Be16 WithPseudoHeader(const Address& source, const Address& destination, uint8_t protocol, ConstBytes segment) {
  ChecksumAccumulator sum;
  sum.Add(source.bytes);
  sum.Add(destination.bytes);
  // The length has 16 bits in IPv4's pseudo-header and 32 in IPv6's; the zeros around it and the protocol add nothing.
  sum.Add(Be16(static_cast<uint16_t>(segment.size() >> 16)));
  sum.Add(Be16(static_cast<uint16_t>(segment.size())));
  sum.Add(Be16(protocol));
  sum.Add(segment);
  return sum.Finish();
}

}  // namespace

void ChecksumAccumulator::Add(ConstBytes bytes) {
  const uint8_t* p = bytes.data();
  size_t left = bytes.size();
  __extension__ using Wide = unsigned __int128;
  Wide sum = 0;  // the upper half counts the carries: an addition and one with carry for each eight bytes
  for (; left >= 32; left -= 32, p += 32) {
    sum += Load<uint64_t>(p);
    sum += Load<uint64_t>(p + 8);
    sum += Load<uint64_t>(p + 16);
    sum += Load<uint64_t>(p + 24);
  }
  for (; left >= 8; left -= 8, p += 8) sum += Load<uint64_t>(p);
  if ((left & 4) != 0) {
    sum += Load<uint32_t>(p);
    p += 4;
  }
  if ((left & 2) != 0) {
    sum += Load<uint16_t>(p);
    p += 2;
  }
  if ((left & 1) != 0) sum += std::bit_cast<uint16_t>(std::array<uint8_t, 2>{*p, 0});  // padded (RFC 1071 §1)
  // Folded to 34 bits, so that sum_ never overflows.
  const auto low = static_cast<uint64_t>(sum);
  sum_ += (low & 0xffffffff) + (low >> 32) + static_cast<uint64_t>(sum >> 64);
}

Be16 ChecksumAccumulator::Finish() const {
  // The upper half of a word and the same word turned around is the sum of both halves, with the carry of the lower
  // one.
  const auto half = static_cast<uint32_t>((sum_ + std::rotl(sum_, 32)) >> 32);
  return FromRaw(static_cast<uint16_t>(~((half + std::rotl(half, 16)) >> 16)));
}

Be16 InternetChecksum(ConstBytes bytes) {
  ChecksumAccumulator sum;
  sum.Add(bytes);
  return sum.Finish();
}

Be16 TransportChecksum(const Ipv4Address& source, const Ipv4Address& destination, uint8_t protocol,
                       ConstBytes segment) {
  return WithPseudoHeader(source, destination, protocol, segment);
}

Be16 TransportChecksum(const Ipv6Address& source, const Ipv6Address& destination, uint8_t protocol,
                       ConstBytes segment) {
  return WithPseudoHeader(source, destination, protocol, segment);
}

// HC' = ~(~HC + ~m + m')
Be16 UpdateChecksum(Be16 checksum, Be16 old_word, Be16 new_word) {
  ChecksumAccumulator sum;
  sum.Add(FromRaw(static_cast<uint16_t>(~checksum.raw())));
  sum.Add(FromRaw(static_cast<uint16_t>(~old_word.raw())));
  sum.Add(new_word);
  return sum.Finish();
}

Be16 UpdateChecksum(Be16 checksum, ConstBytes old_bytes, ConstBytes new_bytes) {
  ChecksumAccumulator sum;
  sum.Add(FromRaw(static_cast<uint16_t>(~checksum.raw())));
  sum.Add(InternetChecksum(old_bytes));  // the complement of the sum is the sum of the complements
  sum.Add(new_bytes);
  return sum.Finish();
}

}  // namespace qure
