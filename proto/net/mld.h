// Multicast listener discovery for hosts, of versions 1 (RFC 2710) and 2 (RFC 3810).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "proto/bytes.h"
#include "proto/net/address.h"
#include "proto/net/group_query.h"

namespace qure {

inline constexpr uint8_t kIcmpv6ListenerQuery = 130;
inline constexpr uint8_t kIcmpv6ListenerReport1 = 131;
inline constexpr uint8_t kIcmpv6ListenerDone = 132;
inline constexpr uint8_t kIcmpv6ListenerReport2 = 143;
// ff02::2, where version 1 says that it listens no more
inline constexpr Ipv6Address kAllRouters{{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2}};
// ff02::16, where version 2 reports
inline constexpr Ipv6Address kMldRouters{{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16}};

// The query in an IPv6 packet, checksum verified; nothing if it is not one, or not from a router of this link
// (RFC 3810 §6.2: link-local source, hop limit 1, router alert).
std::optional<GroupQuery> ParseMldQuery(ConstBytes packet);

// Whole untagged frames with the router alert option (RFC 2711).
// At most kMaxGroupRecords, all IPv6.
std::vector<uint8_t> BuildMldReport(const MacAddress& mac, const Ipv6Address& source,
                                    std::span<const GroupRecord> records);
// Version 1, for links with such a querier (RFC 3810 §8.2.1).
std::vector<uint8_t> BuildMldV1Report(const MacAddress& mac, const Ipv6Address& source, const Ipv6Address& group);
std::vector<uint8_t> BuildMldV1Done(const MacAddress& mac, const Ipv6Address& source, const Ipv6Address& group);

}  // namespace qure
