// Domain names in wire form (RFC 1035 §3.1): labels, each behind its length, up to the empty one of the root.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/bytes.h"

namespace qure {

inline constexpr size_t kDnsMaxName = 255;  // RFC 1035 §2.3.4, with the root label
inline constexpr size_t kDnsMaxLabel = 63;
inline constexpr std::string_view kDnsWildcard("\1*", 2);  // the label (RFC 4592 §2.1.1)

// Text ("www.home.example", final dot optional, \. and \DDD escapes) to lower-case wire form; nullopt if a label is
// empty or longer than 63 bytes or the name longer than 255.
std::optional<std::string> DnsNameToWire(std::string_view text);
// Wire form to text with a final dot.
std::string DnsNameToText(ConstBytes wire);
inline std::string DnsNameToText(std::string_view wire) {
  return DnsNameToText(AsBytes(wire));
}

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
inline std::string DnsToLower(std::string_view name) {
  return DnsToLower(AsBytes(name));
}

// A sound name in any case, with eight bytes before it that can be read: in a message behind the header, in a
// DnsNameBuffer, in a DnsZone. It is read by words from its end, so that its parents are the same words, only fewer.
class DnsNameView {
 public:
  DnsNameView(const uint8_t* begin, size_t length) : end_(begin + length), length_(length) {}

  size_t length() const { return length_; }
  const uint8_t* begin() const { return end_ - length_; }
  ConstBytes bytes() const { return {begin(), length_}; }
  bool is_root() const { return length_ == 1; }
  DnsNameView parent() const {  // not of the root
    const size_t length = length_ - 1 - *begin();
    return {end_ - length, length};
  }

  // The same in any case. `seed` should be a secret of the node: a client that knows it can choose names that share a
  // bucket.
  uint64_t Hash(uint64_t seed) const;
  friend bool operator==(const DnsNameView& a, const DnsNameView& b);
  // The same; `lower` is in lower case already, as all names in tables are.
  bool Matches(const DnsNameView& lower) const;

 private:
  const uint8_t* end_;
  size_t length_;
};

class DnsNameBuffer {
 public:
  // `prefix`: whole labels before the name.
  explicit DnsNameBuffer(ConstBytes name, std::string_view prefix = {});
  explicit DnsNameBuffer(std::string_view name)
      : DnsNameBuffer(ConstBytes(reinterpret_cast<const uint8_t*>(name.data()), name.size())) {}

  DnsNameView view() const { return {&bytes_[kLead], length_}; }

 private:
  static constexpr size_t kLead = sizeof(uint64_t);

  size_t length_;
  std::array<uint8_t, kLead + kDnsMaxName> bytes_{};
};

}  // namespace qure
