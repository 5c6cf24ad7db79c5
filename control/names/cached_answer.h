// From what another server has said to what we say. Pure.
#pragma once

#include <cstdint>
#include <memory>

#include "proto/dns/cache_table.h"
#include "proto/dns/response.h"

namespace qure {

// Good until a tenth before the finding's end: who asks then makes us fetch it again. `unix_now` in seconds since 1970.
std::shared_ptr<const DnsCachedAnswer> MakeCachedAnswer(const DnsQuestion& question, const DnsFinding& finding,
                                                        uint64_t unix_now);

}  // namespace qure
