// What IGMPv3 (RFC 3376) and MLDv2 (RFC 3810) write alike but for the size of an address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "proto/bytes.h"
#include "proto/endian.h"
#include "proto/net/group_query.h"

namespace qure {

// What a query of these versions has behind the group (RFC 3376 §4.1, RFC 3810 §5.1). The sources follow.
struct GroupQueryTail {
  uint8_t flags;
  uint8_t interval_code;
  Be16 source_count;
};
static_assert(sizeof(GroupQueryTail) == 4);

// RFC 3376 §4.2, RFC 3810 §5.2
struct GroupReportHeader {
  uint8_t type;
  uint8_t reserved;
  Be16 checksum;
  Be16 reserved2;
  Be16 record_count;
};
static_assert(sizeof(GroupReportHeader) == 8);

template <typename Address>
struct GroupReportRecord {
  uint8_t type;
  uint8_t auxiliary_length;
  Be16 source_count;
  Address group;
};

template <typename Address>
Address AddressAs(const IpAddress& address) {
  if constexpr (std::is_same_v<Address, Ipv4Address>) {
    return address.v4();
  } else {
    return address.v6();
  }
}

// Whether `message` has a tail at `offset`, and all the sources that this counts.
template <typename Address>
bool HasQueryTail(ConstBytes message, size_t offset) {
  const auto* tail = HeaderAt<GroupQueryTail>(message, offset);
  return tail != nullptr && tail->source_count.value() * sizeof(Address) <= message.size() - offset - sizeof(*tail);
}

template <typename Address>
constexpr size_t GroupReportSize(size_t records) {
  return sizeof(GroupReportHeader) + records * sizeof(GroupReportRecord<Address>);
}

// Writes the report without its checksum, and returns its header. `out` has GroupReportSize bytes, zero.
template <typename Address>
GroupReportHeader* WriteGroupReport(uint8_t type, std::span<const GroupRecord> records, MutableBytes out) {
  auto* header = MutableHeaderAt<GroupReportHeader>(out, 0);
  *header = {type, 0, Be16(0), Be16(0), Be16(static_cast<uint16_t>(records.size()))};
  size_t offset = sizeof(*header);
  for (const GroupRecord& record : records) {
    auto* written = MutableHeaderAt<GroupReportRecord<Address>>(out, offset);
    *written = {static_cast<uint8_t>(record.change), 0, Be16(0), AddressAs<Address>(record.group)};
    offset += sizeof(*written);
  }
  return header;
}

}  // namespace qure
