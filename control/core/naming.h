// From the zones of the configuration to the table that the workers answer from.
#pragma once

#include <memory>
#include <vector>

#include "control/core/config.h"
#include "proto/dns_table.h"

namespace qure {

// Null when there are no zones.
std::shared_ptr<const DnsTable> BuildDnsTable(const std::vector<ZoneConfig>& zones);

}  // namespace qure
