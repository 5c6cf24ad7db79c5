#include "control/config/service_config.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/config/mdns_config.h"
#include "control/core/naming.h"
#include "control/core/timers.h"
#include "proto/dns/message.h"
#include "proto/net/ip.h"

namespace qure {
namespace {

constexpr Duration kLikelyDrainDeadline = Seconds(600);
constexpr Duration kLeastInterval = Milliseconds(100);
constexpr Duration kMostInterval = Seconds(3600);
constexpr Duration kLeastTimeout = Milliseconds(10);
constexpr int64_t kMostInARow = 100;
constexpr int64_t kMostWeight = 255;
constexpr int64_t kMinTableSize = 257;      // one for every node that there can be
constexpr int64_t kMaxTableSize = 655'373;  // Maglev's large table (Eisenbud et al. 2016, §5.3)
constexpr int64_t kMostHeavyHitter = 1'000'000;

// "80" or "8000-8010"
bool ParsePorts(std::string_view text, ServiceConfig* service) {
  const size_t dash = text.find('-');
  const std::string_view first = text.substr(0, dash);
  const std::string_view last = dash == std::string_view::npos ? first : text.substr(dash + 1);
  const std::optional<uint32_t> low = ParseUnsigned(first);
  const std::optional<uint32_t> high = ParseUnsigned(last);
  if (!low || !high || *low == 0 || *low > *high || *high > 65535) return false;
  service->first_port = static_cast<uint16_t>(*low);
  service->last_port = static_cast<uint16_t>(*high);
  return true;
}

bool IsPath(std::string_view path) {
  const auto plain = [](char c) { return c > ' ' && c <= '~'; };
  return path.starts_with('/') && std::ranges::all_of(path, plain);
}

HealthCheck ReadCheck(TableReader check, const ServiceConfig& service) {
  using Kind = HealthCheck::Kind;
  HealthCheck read;
  const auto kind = check.RequiredChoice("type", kCheckTypes);
  read.kind = kind.value_or(Kind::kTcp);
  read.port = static_cast<uint16_t>(check.Integer("port", 0, 1, UINT16_MAX));
  if (service.protocol != kProtocolTcp && !check.Has("port")) {
    check.Fail("port",
               "missing; a check is made over TCP: name a TCP port that reports the health of this service over UDP");
  }
  if (kind == Kind::kTcp && (check.Has("path") || check.Has("status"))) {
    check.Fail(check.Has("path") ? "path" : "status", "only for type = \"http\"; leave it out, or check by http");
  }
  const Placed<std::string> path = check.String("path", read.path);
  if (!IsPath(path.value)) {
    check.Fail("path", Concat("\"", path.value, "\" is not a path; write it like \"/health\", without blanks"));
  }
  read.path = path.value;
  read.status = static_cast<uint16_t>(check.Integer("status", read.status, 100, 599));
  read.interval = check.Interval("interval", read.interval, kLeastInterval, kMostInterval);
  read.timeout = check.Interval("timeout", std::min(read.timeout, read.interval), kLeastTimeout, kMostInterval);
  if (read.timeout > read.interval) {
    check.Fail("timeout", "is longer than the interval; a check must end before the next one begins");
  }
  read.rise = static_cast<uint32_t>(check.Integer("rise", read.rise, 1, kMostInARow));
  read.fall = static_cast<uint32_t>(check.Integer("fall", read.fall, 1, kMostInARow));
  if (service.protocol != kProtocolTcp && check.Has("reach")) {
    check.Fail("reach", "only for services over TCP: what a service over UDP answers, nobody knows; leave it out");
  }
  read.reach = check.Boolean("reach", service.protocol == kProtocolTcp);
  check.RejectUnknownKeys();
  return read;
}

std::map<std::string, uint32_t> ReadWeights(TableReader weights) {
  std::map<std::string, uint32_t> read;
  for (const std::string& node : weights.Keys()) {
    if (!IsPlainName(node)) weights.Fail(node, "is not the name of a node; write { n1 = 2, n2 = 1 }");
    read[node] = static_cast<uint32_t>(weights.Integer(node, 1, 0, kMostWeight));
  }
  weights.RejectUnknownKeys();
  return read;
}

std::optional<IpAddress> ReadAddress(const std::vector<AddressConfig>& addresses, TableReader* table) {
  const auto text = table->OptionalString("address");
  if (!text) return std::nullopt;
  const std::optional<IpAddress> address = ParseIp(text->value);
  const auto has = [&](const AddressConfig& config) {
    return std::ranges::any_of(config.candidates, [&](const IpPrefix& p) { return p.address == *address; });
  };
  if (!address) {
    table->Fail("address", Concat("\"", text->value, "\" is not an address; write it without a prefix length"));
  } else if (std::ranges::none_of(addresses, has)) {
    table->Fail("address", Concat(text->value,
                                  " is not an address of [[cluster.address]]; add it there, or leave this "
                                  "out to serve at all of them"));
  }
  return address;
}

ServiceDelivery ReadDelivery(const ClusterConfig& config, LanMode mode, TableReader* table) {
  const auto delivery = table->Choice("delivery", ServiceDelivery::kUnicast, kDeliveries);
  if (delivery == ServiceDelivery::kUnicast) return delivery;
  if (mode == LanMode::kShared) {
    table->Fail(
        "delivery",
        "\"multicast\" does not work with node.lan.mode = \"shared\": the kernel would get the packets as well; "
        "use \"unicast\", or mode = \"dedicated\"");
  }
  if (config.service_mac == ServiceMac::kInterface) {
    table->Fail("delivery",
                "\"multicast\" does not work with service_mac = \"interface\": then the nodes have no MAC in common; "
                "use \"unicast\", or service_mac = \"derived\"");
  }
  return delivery;
}

std::optional<ServiceConfig> ReadService(const ClusterConfig& config, LanMode mode, TableReader* table) {
  ServiceConfig service;
  table->RequiredString("name", "give the service a name like \"web\"");
  if (table->Has("name")) service.name = PlainName(table, "name", "");
  const auto protocol = table->RequiredChoice("protocol", kProtocols);
  service.protocol = protocol.value_or(kProtocolTcp);
  const auto ports = table->RequiredString("ports", "write a port \"80\" or a range \"8000-8010\"");
  const bool sound = ports && ParsePorts(ports->value, &service);
  if (ports && !sound) {
    table->Fail("ports",
                Concat("\"", ports->value, "\" is not a port or range; write 1 to 65535 like \"80\" or \"8000-8010\""));
  }
  service.address = ReadAddress(config.addresses, table);
  service.affinity = table->Choice("affinity", service.affinity, kAffinities);
  service.return_path = table->Choice("return", service.return_path, kReturnPaths);
  service.delivery = ReadDelivery(config, mode, table);
  ReadServiceMdns(table, &service);
  if (table->Has("weights")) service.weights = ReadWeights(table->Table("weights"));
  if (table->Has("check")) service.check = ReadCheck(table->Table("check"), service);
  table->RejectUnknownKeys();
  if (!protocol || !sound) return std::nullopt;
  return service;
}

// The least prime number that is not below `number`.
uint32_t PrimeFrom(uint32_t number) {
  for (uint32_t divisor = 2; divisor * divisor <= number; ++divisor) {
    if (number % divisor == 0) return PrimeFrom(number + 1);
  }
  return number;
}

bool Overlap(const ServiceConfig& a, const ServiceConfig& b) {
  const bool same_address = !a.address || !b.address || *a.address == *b.address;
  return same_address && a.protocol == b.protocol && a.first_port <= b.last_port && b.first_port <= a.last_port;
}

bool HasNamePort(const ServiceConfig& service) {
  return service.first_port <= kDnsPort && service.last_port >= kDnsPort;
}

// What makes a node answer names, as it stands in the file; empty: nothing does.
std::string_view NamesBy(const ClusterConfig& config) {
  if (!config.zones.empty()) return "[[cluster.zone]]";
  if (config.resolver.forward) return "cluster.resolver.forward";
  return AnswersLocalNames(config) ? "cluster.dns.local_names" : "";
}

}  // namespace

void ReadBalance(TableReader balance, ClusterConfig* config) {
  const auto table_size =
      static_cast<uint32_t>(balance.Integer("table_size", config->table_size, kMinTableSize, kMaxTableSize));
  config->table_size = PrimeFrom(table_size);
  if (config->table_size != table_size) {
    balance.Fail("table_size",
                 Concat(table_size, " is not a prime number, which Maglev needs; write ", config->table_size));
  }
  config->heavy_hitter =
      static_cast<uint32_t>(balance.Integer("heavy_hitter", config->heavy_hitter, 1, kMostHeavyHitter));
  if (balance.Has("drain_deadline")) {
    config->drain_deadline =
        balance.Interval("drain_deadline", kLikelyDrainDeadline, kLeastDrainDeadline, kMostDrainDeadline);
  }
  balance.RejectUnknownKeys();
}

std::vector<ServiceConfig> ReadServices(const ClusterConfig& config, LanMode mode, TableReader* cluster) {
  std::vector<ServiceConfig> services;
  for (TableReader& table : cluster->Tables("service")) {
    const std::optional<ServiceConfig> service = ReadService(config, mode, &table);
    if (!service) continue;
    if (services.size() == kMaxServices) {
      table.Fail("name", Concat("one service too many; there can be at most ", kMaxServices, "; use ranges of ports"));
      break;
    }
    for (const ServiceConfig& other : services) {
      if (service->name == other.name) {
        table.Fail("name", Concat("is the name of another service \"", other.name, "\"; give each its own name"));
      }
      if (Overlap(*service, other)) {
        table.Fail("ports", Concat("overlaps with service \"", other.name, "\"; give each port to one service"));
      }
    }
    services.push_back(*service);
  }
  return services;
}

void RefuseNamePort(const ClusterConfig& config, TableReader* cluster) {
  const std::string_view by = NamesBy(config);
  if (by.empty() || std::ranges::none_of(config.services, HasNamePort)) return;
  for (TableReader& table : cluster->Tables("service")) {
    ServiceConfig service;
    const auto ports = table.OptionalString("ports");
    if (!ports || !ParsePorts(ports->value, &service) || !HasNamePort(service)) continue;
    table.Fail("ports", Concat("has port 53, where this node itself answers names (", by,
                               "): the service would get nothing; leave 53 out of its ports, or remove ", by));
  }
}

}  // namespace qure
