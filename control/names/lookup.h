// The answer that the server would give, for an operator.
#pragma once

#include <cstdint>
#include <string>

#include "nlohmann/json.hpp"
#include "proto/dns/authority.h"

namespace qure {

// The answer to a query for `name` and `type`, both as text, over TCP from this machine. Records have the form of a
// zone file. "error" if the name or type is invalid. `unix_now` in seconds since 1970.
nlohmann::ordered_json LookUp(const DnsAuthority& authority, const std::string& name, const std::string& type,
                              uint64_t unix_now);

}  // namespace qure
