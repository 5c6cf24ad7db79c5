// Bytes for the tests of the codecs.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "proto/bytes.h"
#include "proto/net/address.h"
#include "proto/reason.h"

namespace qure {

using Bytes = std::vector<uint8_t>;

// "0a 0b0c" to bytes; white space is free.
inline Bytes Hex(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != ' ' && c != '\n') digits += c;
  }
  Bytes bytes;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::strtoul(digits.substr(i, 2).c_str(), nullptr, 16)));
  }
  return bytes;
}

inline Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

template <WireHeader H>
Bytes AsBytes(const H& header) {
  Bytes bytes(sizeof(H));
  std::memcpy(bytes.data(), &header, sizeof(H));
  return bytes;
}

// The first `length` bytes in a buffer of exactly that size, so that a sanitizer sees a read beyond.
inline Bytes Prefix(const Bytes& bytes, size_t length) {
  return Bytes(bytes.begin(), bytes.begin() + length);
}

inline MacAddress Mac(std::string_view text) {
  return ParseMac(text).value();
}
inline Ipv4Address V4(std::string_view text) {
  return ParseIp(text).value().v4();
}
inline Ipv6Address V6(std::string_view text) {
  return ParseIp(text).value().v6();
}

// Printed by a failed EXPECT_EQ.
inline void PrintTo(Reason reason, std::ostream* out) {
  *out << NameOf(reason);
}

inline constexpr ParseError kSound = std::nullopt;

}  // namespace qure
