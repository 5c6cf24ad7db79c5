// [[cluster.zone]] to records in wire form.
#pragma once

#include <vector>

#include "control/config/config_reader.h"
#include "control/core/config.h"

namespace qure {

// All zones of [cluster]; invalid ones are left out and recorded as errors.
std::vector<ZoneConfig> ReadZones(const std::vector<ServiceConfig>& services, TableReader* cluster);

}  // namespace qure
