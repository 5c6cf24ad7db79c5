// [cluster.dns] and [cluster.resolver]: how DNS is answered, and which servers are asked for other names.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "control/config/config_reader.h"
#include "control/core/config.h"

namespace qure {

DnsConfig ReadDns(TableReader dns);

// [cluster.resolver]; `addresses` are the service addresses.
ResolverConfig ReadResolver(const std::vector<AddressConfig>& addresses, TableReader resolver);

// "192.0.2.53", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:5353"
std::optional<Endpoint> ParseDnsServer(std::string_view text);

}  // namespace qure
