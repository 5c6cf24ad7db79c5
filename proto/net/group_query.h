// What a multicast router or a snooping switch asks the listeners on its link, by IGMP or MLD.
#pragma once

#include <cstdint>

#include "proto/net/address.h"
#include "proto/time.h"

namespace qure {

struct GroupQuery {
  uint8_t version = 0;    // of IGMP (1 to 3) or MLD (1 or 2)
  IpAddress group;        // zero, of its family: all groups
  Duration max_response;  // answer within this
};

// How a report says what happened to a group: the same numbers in IGMPv3 (RFC 3376 §4.2.12) and MLDv2 (RFC 3810
// §5.2.12). "All sources but none" is listening, "no sources" is not.
enum class GroupChange : uint8_t {
  kListening = 2,  // MODE_IS_EXCLUDE {}, in answer to a query
  kLeft = 3,       // CHANGE_TO_INCLUDE_MODE {}
  kJoined = 4,     // CHANGE_TO_EXCLUDE_MODE {}
};

struct GroupRecord {
  GroupChange change = GroupChange::kListening;
  IpAddress group;
};

inline constexpr size_t kMaxGroupRecords = 60;  // in one report: of either family it fits an IPv6 minimum MTU

// The times that IGMPv3 and MLDv2 write as a floating point number with an exponent of three bits and a mantissa of
// `mantissa_bits` and an implied one above it (RFC 3376 §4.1.1, RFC 3810 §5.1.3).
constexpr uint32_t DecodeResponseCode(uint32_t code, int mantissa_bits) {
  const uint32_t floating = uint32_t{1} << (mantissa_bits + 3);
  if (code < floating) return code;
  const uint32_t mantissa = (code & ((uint32_t{1} << mantissa_bits) - 1)) | uint32_t{1} << mantissa_bits;
  return mantissa << ((code >> mantissa_bits & 7) + 3);
}

}  // namespace qure
