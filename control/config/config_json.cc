#include "control/config/config_json.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "control/base/text.h"
#include "control/config/config_reader.h"
#include "control/config/config_words.h"
#include "control/core/admission/codes.h"
#include "control/core/cluster/identity.h"
#include "control/core/naming.h"
#include "proto/dns/name.h"

namespace qure {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kSecret = "(set)";

template <typename T>
ordered_json Texts(const std::vector<T>& values) {
  ordered_json texts = ordered_json::array();
  for (const T& value : values) texts.push_back(ToString(value));
  return texts;
}

template <typename T>
ordered_json List(const std::vector<T>& values, ordered_json (*to_json)(const T&)) {
  ordered_json list = ordered_json::array();
  for (const T& value : values) list.push_back(to_json(value));
  return list;
}

ordered_json OrNull(const std::string& text) {
  return text.empty() ? ordered_json(nullptr) : ordered_json(text);
}

ordered_json NameOrNull(const std::string& wire) {
  return wire.empty() ? ordered_json(nullptr) : ordered_json(DnsNameToText(wire));
}

ordered_json NodeJson(const NodeConfig& node) {
  return {{"name", node.name},
          {"data_directory", node.data_directory},
          {"control_socket", node.control_socket},
          {"metrics", node.metrics},
          {"log_level", WordFor(kLogLevels, node.log_level)},
          {"priority", node.priority},
          {"weight", node.weight},
          {"addresses", Texts(node.addresses)},
          {"lan",
           {{"port", node.lan_port},
            {"mode", WordFor(kLanModes, node.lan_mode)},
            {"take_over", node.take_over},
            {"vlan", node.vlan},
            {"host_interface", node.host_interface}}},
          {"dpdk",
           {{"workers", node.workers},
            {"cores", node.cores},
            {"huge_pages", node.huge_pages},
            {"memory_mib", node.memory_mib},
            {"flows", node.flows},
            {"file_prefix", node.file_prefix}}}};
}

ordered_json AddressJson(const AddressConfig& address) {
  const std::vector<IpPrefix> alternatives(address.candidates.begin() + 1, address.candidates.end());
  return {{"address", ToString(address.candidates.front())}, {"alternatives", Texts(alternatives)}};
}

ordered_json CheckJson(const HealthCheck& check, uint16_t first_port) {
  if (check.kind == HealthCheck::Kind::kNone) return nullptr;
  ordered_json json = {{"type", WordFor(kCheckTypes, check.kind)}, {"port", check.port == 0 ? first_port : check.port}};
  if (check.kind == HealthCheck::Kind::kHttp) json.update({{"path", check.path}, {"status", check.status}});
  json.update({{"interval", IntervalText(check.interval)},
               {"timeout", IntervalText(check.timeout)},
               {"rise", check.rise},
               {"fall", check.fall},
               {"reach", check.reach}});
  return json;
}

ordered_json ServiceJson(const ServiceConfig& service) {
  std::string ports = Concat(service.first_port);
  if (service.last_port != service.first_port) ports += Concat("-", service.last_port);
  ordered_json weights = ordered_json::object();
  for (const auto& [node, weight] : service.weights) weights[node] = weight;
  return {{"name", service.name},
          {"protocol", WordFor(kProtocols, service.protocol)},
          {"ports", ports},
          {"address", service.address ? ordered_json(ToString(*service.address)) : ordered_json(nullptr)},
          {"affinity", WordFor(kAffinities, service.affinity)},
          {"return", WordFor(kReturnPaths, service.return_path)},
          {"delivery", WordFor(kDeliveries, service.delivery)},
          {"mdns", OrNull(service.mdns)},
          {"txt", service.txt},
          {"weights", std::move(weights)},
          {"check", CheckJson(service.check, service.first_port)}};
}

ordered_json RecordJson(const ZoneRecord& record) {
  ordered_json json = {{"name", record.name}, {"type", record.type}, {"value", record.value}, {"ttl", record.ttl}};
  if (record.rotate) json["order"] = WordFor(kRecordOrders, *record.rotate);
  return json;
}

ordered_json ZoneJson(const ZoneConfig& zone) {
  ordered_json json = {{"name", DnsNameToText(zone.zone->apex())},
                       {"file", OrNull(zone.file)},
                       {"ttl", zone.ttl},
                       {"serial", zone.zone->serial()}};
  if (zone.soa) {
    json.update({{"ns", zone.soa->ns},
                 {"primary", zone.soa->primary},
                 {"contact", zone.soa->contact},
                 {"refresh", zone.soa->refresh},
                 {"retry", zone.soa->retry},
                 {"expire", zone.soa->expire},
                 {"minimum", zone.soa->minimum}});
  }
  json["record"] = zone.records ? List(*zone.records, RecordJson) : ordered_json::array();
  return json;
}

ordered_json ResolverJson(const ResolverConfig& resolver) {
  return {{"upstreams", Texts(resolver.upstreams)}, {"forward", resolver.forward},
          {"clients", Texts(resolver.clients)},     {"cache_entries", resolver.cache_entries},
          {"stale", IntervalText(resolver.stale)},  {"timeout", IntervalText(resolver.timeout)}};
}

ordered_json RegistrationJson(const RegistrationConfig& registration) {
  const bool asks = registration.addresses.empty();
  ordered_json json = {{"enabled", registration.enabled},
                       {"server", ToString(registration.server)},
                       {"zone", DnsNameToText(registration.zone)},
                       {"name", DnsNameToText(registration.name)},
                       {"shared", NameOrNull(registration.shared)},
                       {"ttl", registration.ttl},
                       {"refresh", IntervalText(registration.refresh)},
                       {"key_file", registration.key_file},
                       {"public", asks ? ordered_json("echo") : Texts(registration.addresses)}};
  if (asks) json.update({{"echo", Texts(registration.echo)}, {"echo_name", DnsNameToText(registration.echo_name)}});
  return json;
}

ordered_json BalanceJson(const ClusterConfig& cluster) {
  return {{"table_size", cluster.table_size},
          {"heavy_hitter", cluster.heavy_hitter},
          {"drain_deadline",
           cluster.drain_deadline ? ordered_json(IntervalText(*cluster.drain_deadline)) : ordered_json(nullptr)}};
}

ordered_json JoinJson(const std::optional<JoinConfig>& join) {
  if (!join) return nullptr;
  return join->cluster ? admission::ToText(*join->cluster) : kJoinAny;
}

ordered_json ClusterJson(const ClusterConfig& cluster) {
  const ClusterNetwork& network = cluster.network;
  return {{"name", cluster.name},
          {"gateway", Texts(cluster.gateways)},
          {"gateway_required", network.gateway_required},
          {"service_mac", WordFor(kServiceMacs, cluster.service_mac)},
          {"default", WordFor(kDefaultPolicies, cluster.default_policy)},
          {"probe_interval", IntervalText(cluster.probe_interval)},
          {"security", WordFor(kSecurities, network.security)},
          {"key", network.key ? ordered_json(kSecret) : ordered_json(nullptr)},
          {"join", JoinJson(network.join)},
          {"port", network.port},
          {"group", ToString(network.group.value_or(GroupFor(cluster.id())))},
          {"preempt", network.preempt},
          {"auto_admit", WordFor(kAutoAdmits, cluster.auto_admit)},
          {"address", List(cluster.addresses, AddressJson)},
          {"balance", BalanceJson(cluster)},
          {"service", List(cluster.services, ServiceJson)},
          {"zone", List(cluster.zones, ZoneJson)},
          {"dns",
           {{"local_names", AnswersLocalNames(cluster)},
            {"rate_limit", cluster.dns.limit.rate},
            {"slip", cluster.dns.limit.slip},
            {"log_every", cluster.dns.log_every}}},
          {"resolver", ResolverJson(cluster.resolver)},
          {"registration", cluster.registration ? RegistrationJson(*cluster.registration) : ordered_json(nullptr)},
          {"mdns", {{"enabled", cluster.mdns.enabled}}}};
}

std::string Dump(const ordered_json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/false, ordered_json::error_handler_t::replace);
}

}  // namespace

ordered_json ConfigJson(const Config& config) {
  return {{"node", NodeJson(config.node)}, {"cluster", ClusterJson(config.cluster)}};
}

uint64_t ClusterDigest(const ClusterConfig& cluster) {
  ordered_json json = ClusterJson(cluster);
  for (const char* const own : {"key", "join"}) json.erase(own);  // for a first start, so in some files only
  for (const char* const list : {"gateway", "address", "service", "zone"}) {
    std::vector<std::string> items;
    for (const ordered_json& item : json[list]) items.push_back(Dump(item));
    std::ranges::sort(items);
    json[list] = items;
  }
  return std::max<uint64_t>(Fingerprint(Dump(json)), 1);
}

}  // namespace qure
