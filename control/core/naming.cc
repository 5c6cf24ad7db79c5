#include "control/core/naming.h"

#include <algorithm>

namespace qure {

std::shared_ptr<const DnsAuthority> BuildDnsAuthority(const std::vector<ZoneConfig>& zones) {
  if (zones.empty()) return nullptr;
  std::vector<std::shared_ptr<const DnsZone>> served;
  served.reserve(zones.size());
  for (const ZoneConfig& zone : zones) served.push_back(zone.zone);
  return std::make_shared<const DnsAuthority>(DnsAuthority{.zones = DnsZones(std::move(served))});
}

std::shared_ptr<const ServiceMap> BuildServices(const ClusterConfig& config,
                                                const std::function<uint8_t(const IpAddress&)>& id_of) {
  auto map = std::make_shared<ServiceMap>();
  map->drop_others = config.default_policy == DefaultPolicy::kDrop;
  for (const ServiceConfig& service : config.services) {
    map->Add({.name = service.name,
              .protocol = service.protocol,
              .first_port = service.first_port,
              .last_port = service.last_port,
              .local_address = service.address ? id_of(*service.address) : uint8_t{0},
              .affinity = service.affinity,
              .return_by_master = service.return_path == ReturnPath::kMaster,
              .multicast = service.delivery == ServiceDelivery::kMulticast});
  }
  return map;
}

bool ReachesAll(const ClusterConfig& config, const AddressConfig& address) {
  return std::ranges::any_of(config.services, [&](const ServiceConfig& service) {
    const auto here = [&](const IpPrefix& candidate) {
      return !service.address || candidate.address == *service.address;
    };
    return service.delivery == ServiceDelivery::kMulticast && std::ranges::any_of(address.candidates, here);
  });
}

}  // namespace qure
