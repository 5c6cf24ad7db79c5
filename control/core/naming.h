// From the configuration to what the workers look names and services up in.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "control/core/config.h"
#include "proto/dns_authority.h"
#include "proto/services.h"

namespace qure {

// Null when there are no zones.
std::shared_ptr<const DnsAuthority> BuildDnsAuthority(const std::vector<ZoneConfig>& zones);

// The services as the workers look them up; `id_of` gives the number of a service address.
std::shared_ptr<const ServiceMap> BuildServices(const ClusterConfig& config,
                                                const std::function<uint8_t(const IpAddress&)>& id_of);

// Whether a service at this address has delivery = "multicast": then the address is at a group MAC.
bool ReachesAll(const ClusterConfig& config, const AddressConfig& address);

}  // namespace qure
