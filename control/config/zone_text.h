// DNS records in the text of RFC 1035 §5.1, read by ldns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/dns/zone_builder.h"

namespace qure {

// The wire form of rdata as a zone file has it; names that do not end with a dot are below `origin`.
absl::StatusOr<std::string> DnsRdata(uint16_t type, std::string_view text, std::string_view origin);

// Adds the records of a zone file, `ttl` being the one of those that name none before the first $TTL. Returns its
// errors, "PATH, line 7: …", at most ten.
std::vector<std::string> ReadZoneFile(const std::string& path, std::string_view origin, uint32_t ttl,
                                      DnsZoneBuilder* builder);

}  // namespace qure
