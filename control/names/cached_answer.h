// Makes an answer for the packet path from a finding of another server. Pure.
#pragma once

#include <cstdint>
#include <memory>

#include "proto/dns/cache_table.h"
#include "proto/dns/response.h"

namespace qure {

// Valid until the last tenth of the finding's time to live: a query in that tenth starts a new fetch. `unix_now` in
// seconds since 1970.
std::shared_ptr<const DnsCachedAnswer> MakeCachedAnswer(const DnsQuestion& question, const DnsFinding& finding,
                                                        uint64_t unix_now);

}  // namespace qure
