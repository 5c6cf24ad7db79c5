#include "proto/net/checksum.h"

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

constexpr size_t kWord = sizeof(uint64_t);

// A one's-complement sum of eight bytes at a time: its carry goes round (RFC 1071 §2 (C)).
uint64_t AddWord(uint64_t sum, uint64_t word) {
  sum += word;
  return sum + (sum < word ? 1 : 0);
}

// The last bytes of a word that ends at `end`, as if zeros followed them (RFC 1071 §1).
uint64_t Last(const uint8_t* end, size_t count) {
  static_assert(std::endian::native == std::endian::little);
  return Load<uint64_t>(end - kWord) >> 8 * (kWord - count);
}

// The same of bytes that no others stand before. Powers of two instead of one copy: a copy of a length that only the
// caller knows goes through memory, which takes longer and has the compiler guard the stack.
[[gnu::noinline]] uint64_t Few(const uint8_t* p, size_t count) {
  uint64_t word = 0;
  size_t at = 0;
  if ((count & 4) != 0) {
    word = Load<uint32_t>(p);
    at = 4;
  }
  if ((count & 2) != 0) {
    word |= uint64_t{Load<uint16_t>(p + at)} << 8 * at;
    at += 2;
  }
  if ((count & 1) != 0) word |= uint64_t{p[at]} << 8 * at;
  return word;
}

Be16 FromRaw(uint16_t raw) {
  return std::bit_cast<Be16>(raw);
}

// Inlined, so that the sum stays in registers.
template <typename Address>
[[gnu::always_inline]] inline void AddPseudoHeader(const Address& source, const Address& destination, uint8_t protocol,
                                                   size_t length, ChecksumAccumulator* sum) {
  sum->Add(std::span(source.bytes));
  sum->Add(std::span(destination.bytes));
  // The length has 16 bits in IPv4's pseudo-header and 32 in IPv6's; the zeros around it and the protocol add nothing.
  sum->Add(Be16(static_cast<uint16_t>(length >> 16)));
  sum->Add(Be16(static_cast<uint16_t>(length)));
  sum->Add(Be16(protocol));
}

template <typename Address>
Be16 WithPseudoHeader(const Address& source, const Address& destination, uint8_t protocol, ConstBytes segment) {
  ChecksumAccumulator sum;
  AddPseudoHeader(source, destination, protocol, segment.size(), &sum);
  sum.Add(segment);
  return sum.Finish();
}

template <typename Address>
Be16 SumOfPseudoHeader(const Address& source, const Address& destination, uint8_t protocol, size_t length) {
  ChecksumAccumulator sum;
  AddPseudoHeader(source, destination, protocol, length, &sum);
  return FromRaw(static_cast<uint16_t>(~sum.Finish().raw()));
}

}  // namespace

void ChecksumAccumulator::Add(ConstBytes bytes) {
  const uint8_t* p = bytes.data();
  size_t left = bytes.size();
  uint64_t sum = 0;
  for (; left >= 4 * kWord; left -= 4 * kWord, p += 4 * kWord) {
    sum = AddWord(sum, Load<uint64_t>(p));
    sum = AddWord(sum, Load<uint64_t>(p + kWord));
    sum = AddWord(sum, Load<uint64_t>(p + 2 * kWord));
    sum = AddWord(sum, Load<uint64_t>(p + 3 * kWord));
  }
  for (; left >= kWord; left -= kWord, p += kWord) sum = AddWord(sum, Load<uint64_t>(p));
  if (left != 0) sum = AddWord(sum, bytes.size() >= kWord ? Last(p + left, left) : Few(p, left));
  sum_ += (sum & 0xffffffff) + (sum >> 32);  // 33 bits, so that sum_ never overflows
}

// Not inlined: its sum is in memory, and the function that inlines it has to guard the stack.
[[gnu::noinline]] Be16 InternetChecksum(ConstBytes bytes) {
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

Be16 PseudoHeaderSum(const Ipv4Address& source, const Ipv4Address& destination, uint8_t protocol, size_t length) {
  return SumOfPseudoHeader(source, destination, protocol, length);
}

Be16 PseudoHeaderSum(const Ipv6Address& source, const Ipv6Address& destination, uint8_t protocol, size_t length) {
  return SumOfPseudoHeader(source, destination, protocol, length);
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
