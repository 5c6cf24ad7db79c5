#include "control/config/config_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "control/base/fd.h"
#include "control/base/text.h"
#include "control/config/address_config.h"
#include "control/config/cluster_key.h"
#include "control/config/config_json.h"
#include "control/config/config_keys.h"
#include "control/config/config_reader.h"
#include "control/config/dns_config.h"
#include "control/config/mdns_config.h"
#include "control/config/registration_config.h"
#include "control/config/service_config.h"
#include "control/config/shared_part.h"
#include "control/config/zone_config.h"
#include "control/core/admission/codes.h"
#include "control/core/cluster/identity.h"
#include "proto/net/address.h"
#include "proto/net/endpoint.h"
#include "proto/net/ip.h"
#include "proto/port_spec.h"

namespace qure {
namespace {

constexpr size_t kMaxSocketPath = 107;  // sun_path, with its final zero
constexpr int64_t kMaxWorkers = 64;
constexpr int64_t kMaxCore = 1023;
constexpr int64_t kMaxFlows = 67'108'864;
constexpr int64_t kMaxPriority = 1000;
constexpr int64_t kMaxWeight = 255;

std::string AbsolutePath(TableReader* table, std::string_view key, std::string_view fallback, size_t most) {
  const Placed<std::string> path = table->String(key, fallback);
  if (!path.value.starts_with('/')) {
    table->Fail(key, Concat("\"", path.value, "\" is not an absolute path; begin it with \"/\" like ", fallback));
  } else if (path.value.size() > most) {
    table->Fail(key, Concat("is ", path.value.size(), " bytes long; use at most ", most));
  }
  return path.value;
}

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "";
}

// For the metrics. Debian's civetweb, which serves them, is built without IPv6.
std::string ListenAddress(TableReader* table, std::string_view key, std::string_view fallback) {
  const Placed<std::string> text = table->String(key, fallback);
  if (text.value.empty()) return text.value;
  const std::optional<Endpoint> endpoint = ParseEndpoint(text.value);
  if (!endpoint) {
    table->Fail(key,
                Concat("\"", text.value, "\" is not ADDRESS:PORT; write it like ", fallback, ", or \"\" for none"));
  } else if (endpoint->address.is_v6()) {
    table->Fail(key, Concat("\"", text.value,
                            "\": the HTTP server of the metrics has no IPv6; use an IPv4 address, like ", fallback));
  }
  return text.value;
}

// What [node] says about the LAN, for the checks of other sections.
struct LanFacts {
  std::optional<PortSpec> port;
  LanMode mode = LanMode::kDedicated;
};

void ReadInterface(TableReader* lan, const LanFacts& facts, NodeConfig* config) {
  config->host_interface = lan->String("host_interface", config->host_interface).value;
  const std::string& name = config->host_interface;
  if (!IsInterfaceName(name)) {
    lan->Fail("host_interface",
              Concat("\"", name, "\" is not an interface name; use 1 to 15 letters or digits, like qure0"));
  } else if (facts.port && (facts.port->interface() == name || facts.port->argument == name)) {
    lan->Fail("host_interface",
              Concat("\"", name, "\" is the LAN port itself; choose the name of a new interface, like qure0"));
  }
}

LanFacts ReadLan(TableReader lan, NodeConfig* config) {
  LanFacts facts;
  if (const auto port = lan.RequiredString("port", "write the port on the LAN like \"af_packet:eth0\"")) {
    config->lan_port = port->value;
    if (auto spec = ParsePortSpec(port->value); spec.ok()) {
      facts.port = *std::move(spec);
    } else {
      lan.Fail("port", Concat("not a port; ", spec.status().message()));
    }
  }
  facts.mode = config->lan_mode = lan.Choice("mode", config->lan_mode, kLanModes);
  config->take_over = lan.Boolean("take_over", config->take_over);
  if (config->take_over && facts.mode == LanMode::kShared) {
    lan.Fail("take_over", "only for mode = \"dedicated\"; in shared mode the kernel keeps its addresses, leave it out");
  }
  config->vlan =
      static_cast<uint16_t>(lan.Integer("vlan", config->vlan, 0, 4094));  // IEEE 802.1Q §9.6: 4095 is reserved
  if (facts.mode == LanMode::kShared && facts.port) {
    if (facts.port->kind == PortKind::kAfXdp) {
      lan.Fail("mode",
               "\"shared\" does not work with af_xdp, which takes every frame away from the kernel; use af_packet or "
               "\"dedicated\"");
    } else if (facts.port->kind != PortKind::kAfPacket) {
      lan.Fail("mode", "\"shared\" needs an interface that the kernel keeps; use af_packet or \"dedicated\"");
    }
  }
  ReadInterface(&lan, facts, config);
  lan.RejectUnknownKeys();
  return facts;
}

void ReadDpdk(TableReader dpdk, NodeConfig* config) {
  config->workers = static_cast<unsigned>(dpdk.Integer("workers", config->workers, 1, kMaxWorkers));
  for (const Placed<int64_t>& core : dpdk.Integers("cores", 0, kMaxCore)) {
    config->cores.push_back(static_cast<unsigned>(core.value));
  }
  if (!config->cores.empty() && config->cores.size() != config->workers) {
    dpdk.Fail("cores", Concat(config->cores.size(), " cores for workers = ", config->workers,
                              "; give one for each worker, or [] to pin none"));
  }
  config->huge_pages = dpdk.Boolean("huge_pages", config->huge_pages);
  config->memory_mib = static_cast<unsigned>(dpdk.Integer("memory_mib", config->memory_mib, 32, 65536));
  config->flows = static_cast<uint32_t>(dpdk.Integer("flows", config->flows, 1024, kMaxFlows));
  // An invalid name has its error already.
  const std::string prefix =
      IsPlainName(config->name) ? Concat("qure-", config->name).substr(0, kMaxNameLength) : "qure";
  config->file_prefix = PlainName(&dpdk, "file_prefix", prefix);
  dpdk.RejectUnknownKeys();
}

LanFacts ReadNode(TableReader node, AddressReader* addresses, NodeConfig* config) {
  config->name = PlainName(&node, "name", HostName());
  config->data_directory = AbsolutePath(&node, "data_directory", config->data_directory, 4095);
  config->control_socket = AbsolutePath(&node, "control_socket", config->control_socket, kMaxSocketPath);
  config->metrics = ListenAddress(&node, "metrics", config->metrics);
  config->log_level = node.Choice("log_level", config->log_level, kLogLevels);
  config->priority = static_cast<int32_t>(node.Integer("priority", config->priority, -kMaxPriority, kMaxPriority));
  config->weight = static_cast<uint32_t>(node.Integer("weight", config->weight, 1, kMaxWeight));
  config->addresses = addresses->NodeAddresses(&node);
  LanFacts facts = ReadLan(node.Table("lan"), config);
  if (facts.mode == LanMode::kShared && !config->addresses.empty()) {
    node.Fail("addresses",
              "only for mode = \"dedicated\"; the kernel's interface has the node's addresses, leave them out here");
  }
  ReadDpdk(node.Table("dpdk"), config);
  node.RejectUnknownKeys();
  return facts;
}

std::optional<ClusterKey> ReadKey(TableReader* cluster) {
  const auto text = cluster->OptionalString("key");
  if (!text) return std::nullopt;
  std::optional<ClusterKey> key = ParseClusterKey(text->value);  // its text is in no message: it may be nearly right
  if (!key) {
    cluster->Fail("key", Concat("is not a key of ", kClusterKeyDigits,
                                " hexadecimal digits that are not all zero; make one with `qurectl key new`"));
  }
  return key;
}

std::optional<JoinConfig> ReadJoin(TableReader* cluster) {
  const auto text = cluster->OptionalString("join");
  if (!text) return std::nullopt;
  JoinConfig join = {.cluster = std::nullopt, .any_name = !cluster->Has("name"), .token = std::nullopt};
  if (text->value == kJoinAny) return join;
  if (admission::LooksLikeToken(text->value)) {
    const absl::StatusOr<admission::Token> token = admission::ParseToken(text->value);
    if (!token.ok()) {  // its text is in no message: it may be nearly right
      cluster->Fail("join", Concat("is no token: ", token.status().message()));
      return std::nullopt;
    }
    join.token = *token;
    return join;
  }
  const absl::StatusOr<admission::Fingerprint> fingerprint = admission::ParseFingerprint(text->value);
  if (fingerprint.ok()) {
    join.cluster = *fingerprint;
    return join;
  }
  cluster->Fail("join", Concat("\"", text->value, "\" is neither \"", kJoinAny,
                               "\", nor a token of `qurectl invite`, nor "
                               "a fingerprint; give the cluster's, as `qurectl cluster` shows it on its nodes"));
  return std::nullopt;
}

std::optional<Ipv4Address> ReadGroup(TableReader* cluster) {
  const auto text = cluster->OptionalString("group");
  if (!text) return std::nullopt;
  const std::optional<IpAddress> group = ParseIp(text->value);
  if (group && group->is_v4() && group->v4().bytes[0] == 239) return group->v4();  // RFC 2365 §6
  cluster->Fail("group", Concat("\"", text->value,
                                "\" is not a group of administrative scope; use one in 239.0.0.0/8, like 239.192.0.73, "
                                "or leave it out"));
  return std::nullopt;
}

// What is a node's own: by this it finds and believes the others.
void ReadOwn(TableReader* cluster, const std::optional<JoinedCluster>& joined, ClusterConfig* config) {
  ClusterNetwork* const network = &config->network;
  if (joined) {
    config->name = joined->name;
    network->port = joined->port;
  }
  config->name = PlainName(cluster, "name", config->name);
  network->security = cluster->Choice("security", network->security, kSecurities);
  network->key = ReadKey(cluster);
  if (network->key && network->security == Security::kOpen) {
    cluster->Fail("key", "is never used with security = \"open\"; leave one of the two out");
  }
  network->join = ReadJoin(cluster);
  if (network->join && (network->key || network->security == Security::kOpen)) {
    cluster->Fail("join", "is for a node that gets its key from the cluster; leave out key and security = \"open\"");
  }
  network->port = static_cast<uint16_t>(cluster->Integer("port", network->port, 1, 65535));
  network->group = ReadGroup(cluster);
  // Under another name it is another cluster.
  if (joined && joined->name == config->name) config->drawn_id = joined->id;
  const bool derived = joined && joined->group == GroupFor(config->id());
  if (joined && !derived && !cluster->Has("group")) network->group = joined->group;
}

// A node that gets from its cluster what it serves, once it has been taken in, need not say any of it.
bool SaysWhatItServes(const TableReader& cluster, const ClusterNetwork& network) {
  const bool joins = network.join || network.key;
  return !joins || std::ranges::any_of(cluster.Keys(),
                                       [](const std::string& key) { return !IsNodesOwn(Concat("cluster.", key)); });
}

// What is the cluster's. `serves`: there is an address.
void ReadShared(TableReader cluster, const LanFacts& lan, bool serves, AddressReader* addresses,
                ClusterConfig* config) {
  config->service_mac = cluster.Choice("service_mac", config->service_mac, kServiceMacs);
  if (lan.mode == LanMode::kShared && config->service_mac == ServiceMac::kInterface) {
    cluster.Fail("service_mac",
                 "\"interface\" does not work with node.lan.mode = \"shared\": the kernel would answer as well; "
                 "use \"derived\", or mode = \"dedicated\"");
  }
  config->default_policy = cluster.Choice("default", config->default_policy, kDefaultPolicies);
  // RFC 5227 §1.1: PROBE_MAX is 2 s.
  config->probe_interval = cluster.Interval("probe_interval", config->probe_interval, Milliseconds(10), Seconds(2));
  config->network.gateway_required = cluster.Boolean("gateway_required", config->network.gateway_required);
  config->network.preempt = cluster.Boolean("preempt", config->network.preempt);
  config->auto_admit = cluster.Choice("auto_admit", config->auto_admit, kAutoAdmits);
  config->addresses = addresses->ServiceAddresses(&cluster, serves);
  config->gateways = addresses->Gateways(&cluster);
  config->services = ReadServices(*config, lan.mode, &cluster);
  if (cluster.Has("balance")) ReadBalance(cluster.Table("balance"), config);
  config->zones = ReadZones(config->services, &cluster);
  config->dns = ReadDns(cluster.Table("dns"));
  config->resolver = ReadResolver(config->addresses, cluster.Table("resolver"));
  config->registration = ReadRegistration(&cluster);
  config->mdns = ReadMdns(cluster.Table("mdns"));
  RefuseNamePort(*config, &cluster);
  cluster.RejectUnknownKeys();
}

absl::StatusOr<Config> ParseWhole(std::string_view toml, std::string_view name,
                                  const std::optional<JoinedCluster>& joined) {
  const absl::StatusOr<toml::table> root = ParseToml(toml, name);
  if (!root.ok()) return root.status();
  ConfigErrors errors(name);
  AddressReader addresses(&errors);
  TableReader file(*root, Place{}, &errors);
  Config config;
  const LanFacts lan = ReadNode(file.Table("node"), &addresses, &config.node);
  TableReader cluster = file.Table("cluster");
  ReadOwn(&cluster, joined, &config.cluster);
  const bool serves = SaysWhatItServes(cluster, config.cluster.network);
  ReadShared(std::move(cluster), lan, serves, &addresses, &config.cluster);
  file.RejectUnknownKeys();
  if (absl::Status status = errors.status(); !status.ok()) return status;
  config.cluster.digest = ClusterDigest(config.cluster);
  return config;
}

absl::StatusOr<Config> ParseParts(std::string_view own, std::string_view name,
                                  const std::optional<JoinedCluster>& joined, std::string_view shared) {
  const absl::StatusOr<toml::table> own_root = ParseToml(own, name);
  if (!own_root.ok()) return own_root.status();
  const absl::StatusOr<toml::table> shared_root = ParseToml(shared, kSharedName);
  if (!shared_root.ok()) return shared_root.status();
  ConfigErrors own_errors(name);
  ConfigErrors shared_errors(kSharedName);
  AddressReader addresses(&own_errors);
  TableReader own_file(*own_root, Place{}, &own_errors);
  TableReader shared_file(*shared_root, Place{}, &shared_errors);
  Config config;
  const LanFacts lan = ReadNode(own_file.Table("node"), &addresses, &config.node);
  TableReader own_cluster = own_file.Table("cluster");
  ReadOwn(&own_cluster, joined, &config.cluster);
  own_file.RejectUnknownKeys();
  if (absl::Status status = own_errors.status(); !status.ok()) return status;
  addresses.ReportTo(&shared_errors);
  ReadShared(shared_file.Table("cluster"), lan, /*serves=*/true, &addresses, &config.cluster);
  shared_file.RejectUnknownKeys();
  if (absl::Status status = shared_errors.status(); !status.ok()) return status;
  config.cluster.digest = ClusterDigest(config.cluster);
  return config;
}

bool IsReadableByOthers(const std::string& path) {
  struct stat file = {};
  if (stat(path.c_str(), &file) != 0) return false;
  return (file.st_mode & S_IROTH) != 0 || ((file.st_mode & S_IRGRP) != 0 && file.st_gid != 0);
}

}  // namespace

absl::StatusOr<Config> ParseConfig(std::string_view toml, std::string_view name) {
  return ParseConfig(toml, name, Learnt{});
}

absl::StatusOr<Config> ParseConfig(std::string_view own, std::string_view name, const Learnt& learnt) {
  if (learnt.shared != nullptr) return ParseParts(own, name, learnt.joined, *learnt.shared);
  const bool began = learnt.joined && !learnt.joined->first.empty();
  return began ? ParseParts(own, name, learnt.joined, learnt.joined->first) : ParseWhole(own, name, learnt.joined);
}

absl::Status CheckOwnKeys(std::string_view toml, std::string_view name) {
  const absl::StatusOr<toml::table> root = ParseToml(toml, name);
  if (!root.ok()) return root.status();
  ConfigErrors errors(name);
  TableReader file(*root, Place{}, &errors);
  TableReader cluster = file.Table("cluster");
  ClusterConfig unused;
  ReadOwn(&cluster, std::nullopt, &unused);
  return errors.status();
}

absl::StatusOr<std::string> ReadConfigFile(const std::string& path) {
  const Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  ssize_t length = file.valid() ? 1 : -1;
  while (length > 0) {
    char chunk[16384];
    length = read(file.get(), chunk, sizeof(chunk));
    if (length > 0) text.append(chunk, static_cast<size_t>(length));
  }
  if (length == 0) return text;
  return absl::ErrnoToStatus(
      errno, Concat(path, ": cannot be read; write the node's configuration there, as docs/example.toml shows"));
}

absl::StatusOr<Config> LoadConfig(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadConfigFile(path);
  return text.ok() ? ParseConfig(*text, path) : text.status();
}

std::vector<std::string> ConfigWarnings(const std::string& path, const Config& config) {
  std::vector<std::string> warnings;
  if (config.cluster.network.key && IsReadableByOthers(path)) {
    warnings.push_back(
        Concat(path, ": cluster.key: others than root can read it; chmod 600 the file, and rotate the key"));
  }
  if (config.cluster.auto_admit == admission::AutoAdmit::kAll) {
    warnings.push_back(
        Concat(path,
               ": cluster.auto_admit: every machine of the LAN that asks gets the cluster's keys and its "
               "configuration; leave it out where not each of them is yours"));
  }
  if (config.cluster.registration && IsReadableByOthers(config.cluster.registration->key_file)) {
    warnings.push_back(Concat(path, ": cluster.registration.key_file: others than root can read ",
                              config.cluster.registration->key_file, "; chmod 600 it, and make a new key"));
  }
  return warnings;
}

absl::Status CheckReload(const Config& current, const Config& next) {
  std::vector<std::string> refused;
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.same == nullptr || key.same(current, next)) continue;
    refused.push_back(Concat(key.path, ": cannot change while qured runs; restart it, or put the old value back"));
  }
  if (refused.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrJoin(refused, "\n"));
}

}  // namespace qure
