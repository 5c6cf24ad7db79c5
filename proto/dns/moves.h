// Compression pointers (RFC 1035 §4.1.4) within records that are made once and written at different places.
#pragma once

#include <cstdint>

#include "proto/endian.h"

namespace qure {

inline constexpr uint16_t kDnsPointer = 0xc000;
inline constexpr uint16_t kDnsPointerMask = 0x3fff;
inline constexpr size_t kDnsQuestionTail = 4;  // type and class, between the question name and the records

// A pointer within records, and what it follows when they are written elsewhere.
class DnsMove {
 public:
  enum class To : uint8_t { kEndOfName, kName, kRecords };

  DnsMove() = default;
  DnsMove(To to, size_t position) : bits_(static_cast<uint16_t>(static_cast<unsigned>(to) << 14 | position)) {}

  To to() const { return static_cast<To>(bits_ >> 14); }
  uint16_t position() const { return bits_ & kDnsPointerMask; }

 private:
  uint16_t bits_ = 0;
};

}  // namespace qure
