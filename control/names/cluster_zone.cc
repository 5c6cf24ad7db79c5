#include "control/names/cluster_zone.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <map>
#include <optional>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "control/base/text.h"
#include "control/names/live_zones.h"
#include "proto/dns/message.h"
#include "proto/dns/rdata.h"
#include "proto/dns/zone_builder.h"

namespace qure {
namespace {

constexpr uint32_t kTtl = 5;  // seconds: a takeover changes most of these records
constexpr uint64_t kRefresh = 3600;
constexpr uint64_t kRetry = 600;
constexpr uint64_t kExpire = 86400;
constexpr std::array<std::string_view, 3> kReserved = {"service", kEchoLabel, "object"};

std::string ToHex(const NodeId& id) {
  std::string hex;
  for (const uint8_t byte : id) absl::StrAppend(&hex, absl::Hex(byte, absl::kZeroPad2));
  return hex;
}

// Strings KEY=VALUE in the form of DNS-SD (RFC 6763 §6.3).
std::string Facts(std::initializer_list<std::pair<std::string_view, std::string>> facts) {
  std::string rdata;
  for (const auto& [key, value] : facts) {
    const std::string text = Concat(key, "=", value).substr(0, UINT8_MAX);
    rdata.push_back(static_cast<char>(text.size()));
    rdata += text;
  }
  return rdata;
}

class ZoneWriter {
 public:
  ZoneWriter(const std::string& apex, const std::string& server, uint64_t hash_seed, uint64_t serial)
      : builder_(apex, hash_seed) {
    builder_.ForLanOnly();
    std::string soa = server + server;
    for (const uint64_t value : {serial, kRefresh, kRetry, kExpire, uint64_t{kTtl}}) AppendNumber(value, 4, &soa);
    Add(apex, kDnsTypeSoa, std::move(soa));
    Add(apex, kDnsTypeNs, server);
  }

  void Add(const std::string& name, uint16_t type, std::string rdata) {
    builder_.Add({.name = name, .type = type, .ttl = kTtl, .rdata = std::move(rdata)});
  }
  void Add(const std::string& name, const IpAddress& address) {
    Add(name, DnsAddressType(address), DnsAddressRdata(address));
  }
  void AddName(const std::string& name) { builder_.AddName(name); }
  void Rotate(const std::string& name) { builder_.Rotate(name); }
  std::shared_ptr<const DnsZone> Build() const { return std::make_shared<const DnsZone>(builder_.Build()); }

 private:
  DnsZoneBuilder builder_;
};

// A name below kClusterDomain; nullopt if it would be too long.
std::optional<std::string> Below(std::string_view name) {
  return DnsNameToWire(Concat(name, ".", kClusterDomain));
}

void AddService(const ClusterFacts& facts, const ClusterFacts::Service& service, ZoneWriter* zone) {
  const std::string_view protocol = service.protocol == 6 ? "_tcp" : "_udp";
  const auto srv = Below(Concat("_", service.name, ".", protocol));
  const auto host = Below(Concat(service.name, ".service"));
  const auto nodes = Below(Concat("nodes.", service.name, ".service"));
  if (!srv || !host || !nodes) return;
  for (const IpAddress& address : service.addresses) zone->Add(*host, address);
  std::string target(4, '\0');  // priority and weight
  AppendNumber(service.port, 2, &target);
  zone->Add(*srv, kDnsTypeSrv, target + *host);
  for (const ClusterFacts::Node& node : facts.nodes) {
    if (!service.IsHealthy(node.id)) continue;
    for (const IpAddress& address : node.addresses) zone->Add(*nodes, address);
  }
  zone->Rotate(*nodes);
}

// The owner of each address: the target of its reverse name.
using Owners = std::map<IpAddress, std::string>;

void AddNodes(const ClusterFacts& facts, uint64_t unix_now, ZoneWriter* zone, Owners* owners) {
  for (const ClusterFacts::Node& node : facts.nodes) {
    const auto name = Below(node.name);
    const auto is_node = [&](std::string_view other) { return DnsToLower(node.name) == DnsToLower(other); };
    if (!name || is_node(facts.cluster) || std::ranges::any_of(kReserved, is_node)) continue;
    const uint64_t uptime = node.alive && unix_now > node.booted ? unix_now - node.booted : 0;
    zone->Add(*name, kDnsTypeTxt,
              Facts({{"id", ToHex(node.id)},
                     {"role", std::string(node.alive ? NameOf(node.role) : NameOf(NodeState::kDown))},
                     {"age", absl::StrCat(node.age)},
                     {"uptime", absl::StrCat(uptime)}}));
    if (!node.alive) continue;
    for (const IpAddress& address : node.addresses) {
      zone->Add(*name, address);
      owners->emplace(address, *name);
    }
  }
}

}  // namespace

std::string ReverseName(const IpAddress& address) {
  std::string text;
  if (address.is_v4()) {
    for (int i = 3; i >= 0; --i) absl::StrAppend(&text, static_cast<int>(address.v4().bytes[i]), ".");
    return *DnsNameToWire(text + "in-addr.arpa");
  }
  for (int i = 15; i >= 0; --i) {
    const uint8_t byte = address.v6().bytes[i];
    absl::StrAppend(&text, absl::Hex(byte & 0xf), ".", absl::Hex(byte >> 4), ".");
  }
  return *DnsNameToWire(text + "ip6.arpa");
}

std::vector<std::shared_ptr<const DnsZone>> MakeClusterZones(const ClusterFacts& facts, uint64_t hash_seed,
                                                             uint64_t unix_now) {
  const std::string apex = *DnsNameToWire(kClusterDomain);
  const std::string cluster = Below(facts.cluster).value_or(apex);
  ZoneWriter zone(apex, cluster, hash_seed, unix_now);
  Owners owners;
  const auto master = std::ranges::find(facts.nodes, NodeRole::kMaster, &ClusterFacts::Node::role);
  zone.Add(cluster, kDnsTypeTxt,
           Facts({{"era", absl::StrCat(facts.era)},
                  {"uptime", absl::StrCat(unix_now - std::min(unix_now, facts.born))},
                  {"master", master == facts.nodes.end() ? "" : master->name},
                  {"nodes", absl::StrCat(std::ranges::count(facts.nodes, true, &ClusterFacts::Node::alive))}}));
  for (const IpAddress& address : facts.service_addresses) {
    zone.Add(cluster, address);
    owners.emplace(address, cluster);
  }
  zone.AddName(*Below(kEchoLabel));
  for (const ClusterFacts::Service& service : facts.services) AddService(facts, service, &zone);
  AddNodes(facts, unix_now, &zone, &owners);

  std::vector<std::shared_ptr<const DnsZone>> zones = {zone.Build()};
  for (const auto& [address, owner] : owners) {
    const std::string name = ReverseName(address);
    ZoneWriter reverse(name, cluster, hash_seed, unix_now);
    reverse.Add(name, kDnsTypePtr, owner);
    zones.push_back(reverse.Build());
  }
  return zones;
}

}  // namespace qure
