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
  // Two sums of 32-bit halves: independent, and without a carry to wait for. Each has room for 2^32 words.
  uint64_t low = 0;
  uint64_t high = 0;
  for (; left >= 8; left -= 8, p += 8) {
    const auto word = Load<uint64_t>(p);
    low += word & 0xffffffff;
    high += word >> 32;
  }
  if ((left & 4) != 0) {
    low += Load<uint32_t>(p);
    p += 4;
  }
  if ((left & 2) != 0) {
    low += Load<uint16_t>(p);
    p += 2;
  }
  if ((left & 1) != 0) low += std::bit_cast<uint16_t>(std::array<uint8_t, 2>{*p, 0});  // padded (RFC 1071 §1)
  low += high;
  // Folded to 33 bits, so that sum_ never overflows.
  sum_ += (low & 0xffffffff) + (low >> 32);
}

Be16 ChecksumAccumulator::Finish() const {
  uint64_t sum = (sum_ & 0xffffffff) + (sum_ >> 32);
  sum = (sum & 0xffff) + (sum >> 16);  // below 2^18
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return FromRaw(static_cast<uint16_t>(~sum));
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
