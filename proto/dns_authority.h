// All that DNS answers are made from: part of the snapshot, immutable.
#pragma once

#include "proto/dns_zones.h"

namespace qure {

struct DnsAuthority {
  DnsZones zones;
};

}  // namespace qure
