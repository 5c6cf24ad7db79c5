#include "control/core/naming.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

#include "proto/dns/zone_builder.h"

namespace qure {

namespace {

constexpr std::string_view kDnsVersion = "QuRe";  // which build it is stays inside

std::string TextRdata(std::string_view text) {
  text = text.substr(0, UINT8_MAX);
  std::string rdata(1, static_cast<char>(text.size()));
  rdata += text;
  return rdata;
}

// A zone of class CHAOS in which each of `hosts` below `apex` has a text.
std::shared_ptr<const DnsZone> AboutZone(std::string_view apex_text,
                                         std::initializer_list<std::pair<std::string_view, std::string_view>> hosts) {
  const std::string apex = *DnsNameToWire(apex_text);
  DnsZoneBuilder builder(apex, 0, kDnsClassChaos);
  builder.Add({.name = apex, .type = kDnsTypeSoa, .ttl = 0, .rdata = apex + apex + std::string(20, '\0')});
  for (const auto& [host, text] : hosts) {
    builder.Add({.name = *DnsNameToWire(std::string(host) + "." + std::string(apex_text)),
                 .type = kDnsTypeTxt,
                 .ttl = 0,
                 .rdata = TextRdata(text)});
  }
  return std::make_shared<const DnsZone>(builder.Build());
}

// What a zone is at present. After a reload its live names have not been filled in yet: until then the zone goes on as
// it was.
std::shared_ptr<const DnsZone> Present(const ZoneConfig& zone, const LiveNames& live) {
  if (zone.live == nullptr) return zone.zone;
  auto now = live.zones.find(zone.live);
  if (now == live.zones.end()) {
    now = std::ranges::find_if(live.zones, [&](const auto& made) { return made.second->apex() == zone.zone->apex(); });
  }
  return now != live.zones.end() ? now->second : zone.zone;
}

// Who may ask for names of others.
LanHosts RecursionClients(const ClusterConfig& config, const LanHosts& lan) {
  return config.resolver.clients.empty() ? lan : LanHosts(config.resolver.clients, config.gateways);
}

}  // namespace

std::shared_ptr<const DnsAuthority> BuildDnsAuthority(const ClusterConfig& config, const NodeFacts& facts,
                                                      const LiveNames* live, std::vector<DnsCookieSecret> secrets) {
  static const LiveNames kNone;
  if (live == nullptr) live = &kNone;
  if (config.zones.empty() && live->own.empty() && live->forwarding == nullptr) return nullptr;
  std::vector<std::shared_ptr<const DnsZone>> served;
  served.reserve(config.zones.size() + live->own.size());
  for (const ZoneConfig& zone : config.zones) served.push_back(Present(zone, *live));
  served.insert(served.end(), live->own.begin(), live->own.end());
  const LanHosts lan = LanHostsOf(config, facts.addresses);
  const auto bind = AboutZone("bind", {{"hostname", facts.name}, {"version", kDnsVersion}});
  const auto server = AboutZone("server", {{"id", facts.name}, {"version", kDnsVersion}});
  return std::make_shared<const DnsAuthority>(DnsAuthority{.zones = DnsZones(std::move(served)),
                                                           .about = DnsZones({bind, server}),
                                                           .echo = live->echo,
                                                           .forwarding = live->forwarding,
                                                           .recursion = RecursionClients(config, lan),
                                                           .lan = lan,
                                                           .nsid = facts.name.substr(0, kDnsMaxNsid),
                                                           .cookie_secrets = std::move(secrets)});
}

bool AnswersLocalNames(const ClusterConfig& config) {
  return config.dns.local_names.value_or(!config.zones.empty());
}

LanHosts LanHostsOf(const ClusterConfig& config, const std::vector<IpPrefix>& node_addresses) {
  std::vector<IpPrefix> networks = {{.address = Ipv6Address{{0xfe, 0x80}}, .length = 10},
                                    {.address = Ipv4Address{{127}}, .length = 8}};
  const auto add = [&](const IpPrefix& address) {
    const IpPrefix network = NetworkOf(address);
    if (std::ranges::find(networks, network) == networks.end()) networks.push_back(network);
  };
  for (const AddressConfig& address : config.addresses) std::ranges::for_each(address.candidates, add);
  std::ranges::for_each(node_addresses, add);
  for (const IpPrefix& client : config.resolver.clients) {
    if (LanHosts::NamesOne(client)) add(client);
  }
  return LanHosts(std::move(networks), config.gateways);
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
