// Domain names in wire form (RFC 1035 §3.1): labels, each behind its length, up to the empty one of the root.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "proto/bytes.h"

namespace qure {

inline constexpr size_t kDnsMaxName = 255;  // RFC 1035 §2.3.4, with the root label
inline constexpr size_t kDnsMaxLabel = 63;

// Text ("www.home.example", final dot optional, \. and \DDD escapes) to lower-case wire form; nullopt if a label is
// empty or longer than 63 bytes or the name longer than 255.
std::optional<std::string> DnsNameToWire(std::string_view text);
// Wire form to text with a final dot.
std::string DnsNameToText(ConstBytes wire);

// The name without its first label. Not of the root.
inline ConstBytes DnsParent(ConstBytes name) {
  return name.subspan(size_t{1} + name[0]);
}
inline std::string_view DnsParent(std::string_view name) {
  return name.substr(size_t{1} + static_cast<uint8_t>(name[0]));
}

// Whether lower-case `name` is `ancestor` or below it.
bool DnsIsWithin(std::string_view name, std::string_view ancestor);

std::string DnsToLower(ConstBytes name);

// A sound name in lower case with zeros behind it, so that it and every parent of it can be hashed in whole words.
class DnsLowerName {
 public:
  explicit DnsLowerName(ConstBytes name);
  explicit DnsLowerName(std::string_view name)
      : DnsLowerName(ConstBytes(reinterpret_cast<const uint8_t*>(name.data()), name.size())) {}
  // The wildcard below `parent` (RFC 4592 §2.1.1), which is a lower-case name.
  static DnsLowerName Wildcard(ConstBytes parent);

  ConstBytes bytes() const { return ConstBytes(bytes_).first(length_); }

 private:
  void Store(size_t offset, uint64_t word);

  size_t length_;
  std::array<uint8_t, 256 + sizeof(uint64_t)> bytes_;
};

// `name` is the end of a DnsLowerName. `seed` should be a secret of the node: whoever knows it can choose names that
// share a bucket.
uint64_t DnsNameHash(ConstBytes name, uint64_t seed);

}  // namespace qure
