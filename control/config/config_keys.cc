#include "control/config/config_keys.h"

#include <algorithm>

namespace qure {
namespace {

template <auto kMember>
bool Same(const Config& a, const Config& b) {
  return a.node.*kMember == b.node.*kMember;
}
template <auto kMember>
bool SameNetwork(const Config& a, const Config& b) {
  return a.cluster.network.*kMember == b.cluster.network.*kMember;
}

// Another key in the file does not concern a running node: `qurectl key` changes its keys.
bool BothOrNeitherHasAKey(const Config& a, const Config& b) {
  return a.cluster.network.key.has_value() == b.cluster.network.key.has_value();
}

constexpr ConfigKey kKeys[] = {
    {"cluster.address.address"},
    {"cluster.address.alternatives"},
    {"cluster.auto_admit"},
    {"cluster.balance.drain_deadline"},
    {"cluster.balance.heavy_hitter"},
    {"cluster.balance.table_size"},
    {"cluster.default"},
    {"cluster.dns.local_names"},
    {"cluster.dns.log_every"},
    {"cluster.dns.rate_limit"},
    {"cluster.dns.slip"},
    {"cluster.gateway"},
    {"cluster.gateway_required"},
    {"cluster.group", SameNetwork<&ClusterNetwork::group>},
    {"cluster.join", SameNetwork<&ClusterNetwork::join>},
    {"cluster.key", BothOrNeitherHasAKey},
    {"cluster.mdns.enabled"},
    {"cluster.name"},
    {"cluster.port", SameNetwork<&ClusterNetwork::port>},
    {"cluster.preempt"},
    {"cluster.probe_interval"},
    {"cluster.registration.echo"},
    {"cluster.registration.echo_name"},
    {"cluster.registration.enabled"},
    {"cluster.registration.key_file"},
    {"cluster.registration.name"},
    {"cluster.registration.public"},
    {"cluster.registration.refresh"},
    {"cluster.registration.server"},
    {"cluster.registration.shared"},
    {"cluster.registration.ttl"},
    {"cluster.registration.zone"},
    {"cluster.resolver.cache_entries"},
    {"cluster.resolver.clients"},
    {"cluster.resolver.forward"},
    {"cluster.resolver.stale"},
    {"cluster.resolver.timeout"},
    {"cluster.resolver.upstreams"},
    {"cluster.security", SameNetwork<&ClusterNetwork::security>},
    {"cluster.service.address"},
    {"cluster.service.affinity"},
    {"cluster.service.check.fall"},
    {"cluster.service.check.interval"},
    {"cluster.service.check.path"},
    {"cluster.service.check.port"},
    {"cluster.service.check.reach"},
    {"cluster.service.check.rise"},
    {"cluster.service.check.status"},
    {"cluster.service.check.timeout"},
    {"cluster.service.check.type"},
    {"cluster.service.delivery"},
    {"cluster.service.mdns"},
    {"cluster.service.name"},
    {"cluster.service.ports"},
    {"cluster.service.protocol"},
    {"cluster.service.return"},
    {"cluster.service.txt"},
    {"cluster.service.weights.*"},
    {"cluster.service_mac"},
    {"cluster.zone.contact"},
    {"cluster.zone.expire"},
    {"cluster.zone.file"},
    {"cluster.zone.minimum"},
    {"cluster.zone.name"},
    {"cluster.zone.ns"},
    {"cluster.zone.primary"},
    {"cluster.zone.record.name"},
    {"cluster.zone.record.order"},
    {"cluster.zone.record.ttl"},
    {"cluster.zone.record.type"},
    {"cluster.zone.record.value"},
    {"cluster.zone.refresh"},
    {"cluster.zone.retry"},
    {"cluster.zone.serial"},
    {"cluster.zone.ttl"},
    {"node.addresses", Same<&NodeConfig::addresses>},
    {"node.control_socket", Same<&NodeConfig::control_socket>},
    {"node.data_directory", Same<&NodeConfig::data_directory>},
    {"node.dpdk.cores", Same<&NodeConfig::cores>},
    {"node.dpdk.file_prefix", Same<&NodeConfig::file_prefix>},
    {"node.dpdk.flows", Same<&NodeConfig::flows>},
    {"node.dpdk.huge_pages", Same<&NodeConfig::huge_pages>},
    {"node.dpdk.memory_mib", Same<&NodeConfig::memory_mib>},
    {"node.dpdk.workers", Same<&NodeConfig::workers>},
    {"node.lan.host_interface", Same<&NodeConfig::host_interface>},
    {"node.lan.mode", Same<&NodeConfig::lan_mode>},
    {"node.lan.port", Same<&NodeConfig::lan_port>},
    {"node.lan.take_over", Same<&NodeConfig::take_over>},
    {"node.lan.vlan", Same<&NodeConfig::vlan>},
    {"node.log_level"},
    {"node.metrics", Same<&NodeConfig::metrics>},
    {"node.name", Same<&NodeConfig::name>},
    {"node.priority", Same<&NodeConfig::priority>},
    {"node.weight", Same<&NodeConfig::weight>},
};
static_assert(std::ranges::is_sorted(kKeys, {}, &ConfigKey::path));

constexpr std::string_view kOwnOfCluster[] = {"cluster.group", "cluster.join", "cluster.key",
                                              "cluster.name",  "cluster.port", "cluster.security"};

// Whether `path` is `key`, or a section that it is in.
bool Leads(std::string_view path, std::string_view key) {
  return key.starts_with(path) && (key.size() == path.size() || key[path.size()] == '.');
}

// Whether the last part of `key` stands for any name, and `path` has one there.
bool HasAnyName(std::string_view key, std::string_view path) {
  return key.ends_with(".*") && path.starts_with(key.substr(0, key.size() - 1));
}

}  // namespace

bool IsNodesOwn(std::string_view path) {
  return Leads("node", path) || std::ranges::find(kOwnOfCluster, path) != std::end(kOwnOfCluster);
}

std::span<const ConfigKey> ConfigKeys() {
  return kKeys;
}

bool IsConfigPath(std::string_view path) {
  const auto* const at = std::ranges::lower_bound(kKeys, path, {}, &ConfigKey::path);
  if (at != std::end(kKeys) && Leads(path, at->path)) return true;
  return std::ranges::any_of(kKeys, [&](const ConfigKey& key) { return HasAnyName(key.path, path); });
}

}  // namespace qure
