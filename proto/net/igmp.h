// IGMP for hosts: reports of version 3 (RFC 3376) and version 2 (RFC 2236), queries of all versions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "proto/bytes.h"
#include "proto/net/address.h"
#include "proto/net/group_query.h"

namespace qure {

inline constexpr uint8_t kProtocolIgmp = 2;
inline constexpr Ipv4Address kAllSystems4{{224, 0, 0, 1}};   // never reported (RFC 3376 §6)
inline constexpr Ipv4Address kAllRouters4{{224, 0, 0, 2}};   // where version 2 leaves
inline constexpr Ipv4Address kIgmpRouters{{224, 0, 0, 22}};  // where version 3 reports

// The query in an IPv4 packet, checksums verified; nothing if it is not one. A source of 0.0.0.0 is allowed: snooping
// switches without an address query from it (RFC 4541 §2.1.1).
std::optional<GroupQuery> ParseIgmpQuery(ConstBytes packet);

// Whole untagged frames with the router alert option (RFC 2113), padded to the minimum length.
// At most kMaxGroupRecords, all IPv4.
std::vector<uint8_t> BuildIgmpV3Report(const MacAddress& mac, const Ipv4Address& source,
                                       std::span<const GroupRecord> records);
std::vector<uint8_t> BuildIgmpV2Report(const MacAddress& mac, const Ipv4Address& source, const Ipv4Address& group);
std::vector<uint8_t> BuildIgmpV2Leave(const MacAddress& mac, const Ipv4Address& source, const Ipv4Address& group);

}  // namespace qure
