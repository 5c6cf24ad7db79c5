#include "control/config/registration_config.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/text.h"
#include "control/config/dns_config.h"
#include "control/config/tsig_key_file.h"
#include "proto/dns/name.h"
#include "proto/net/address.h"

namespace qure {
namespace {

constexpr int64_t kMostTtl = 86'400;
constexpr Duration kLeastRefresh = Seconds(10);
constexpr Duration kMostRefresh = Seconds(86'400);
constexpr size_t kMostEchoServers = 8;
constexpr size_t kOwnerLabelSize = 6;  // "_qure" before the own name
constexpr std::string_view kEchoName = "address.localcluster";
constexpr std::string_view kServerForm = "write it like \"192.0.2.53\" or \"[2001:db8::53]:53\"";

std::optional<Endpoint> ReadServer(const Placed<std::string>& text, ConfigErrors* errors) {
  std::optional<Endpoint> server = ParseDnsServer(text.value);
  if (!server) errors->Add(text.place, Concat("\"", text.value, "\" is not a DNS server; ", kServerForm));
  return server;
}

std::string ReadName(const Placed<std::string>& text, ConfigErrors* errors) {
  std::optional<std::string> wire = DnsNameToWire(text.value);
  if (wire && wire->size() > 1) return *std::move(wire);
  errors->Add(text.place,
              Concat("\"", text.value, "\" is not a DNS name; use labels of 1 to 63 bytes like \"example\""));
  return {};
}

// Relative to the zone, or absolute with a final dot.
std::string NameInZone(const Placed<std::string>& text, const std::string& zone, ConfigErrors* errors) {
  std::string wire = ReadName(text, errors);
  if (wire.empty() || zone.empty()) return wire;
  if (!text.value.ends_with('.')) {
    wire.pop_back();  // the root label
    wire += zone;
  }
  if (!DnsIsWithin(wire, zone) || wire == zone) {
    errors->Add(text.place, Concat("\"", text.value, "\" is not below the zone ", DnsNameToText(zone),
                                   "; leave out the final dot, or name the zone that it is in"));
  } else if (wire.size() + kOwnerLabelSize > kDnsMaxName) {
    errors->Add(text.place, Concat("is too long together with ", DnsNameToText(zone), "; use a shorter one"));
  }
  return wire;
}

void ReadKey(TableReader* table, RegistrationConfig* config) {
  const auto path = table->RequiredString("key_file", "name the file with the TSIG key, like \"/etc/qure/tsig.key\"");
  if (!path) return;
  if (!path->value.starts_with('/')) {
    return table->Fail("key_file", Concat("\"", path->value, "\" is not an absolute path; begin it with \"/\""));
  }
  config->key_file = path->value;
  absl::StatusOr<TsigKey> key = LoadTsigKey(path->value);
  if (!key.ok()) return table->Fail("key_file", std::string(key.status().message()));
  config->key = *std::move(key);
}

void ReadEcho(const std::vector<Placed<std::string>>& servers, const Placed<std::string>& name, TableReader* table,
              RegistrationConfig* config) {
  for (const Placed<std::string>& text : servers) {
    if (const auto server = ReadServer(text, table->errors())) config->echo.push_back(*server);
  }
  if (servers.empty() || servers.size() > kMostEchoServers) {
    table->Fail("echo", Concat("needs 1 to ", kMostEchoServers,
                               " servers that return the public address; or write public = [\"203.0.113.5\"]"));
  }
  config->echo_name = ReadName(name, table->errors());
}

void ReadPublic(TableReader* table, RegistrationConfig* config) {
  const std::vector<Placed<std::string>> servers = table->Strings("echo");
  const Placed<std::string> name = table->String("echo_name", kEchoName);
  if (!table->Has("public") || table->IsString("public")) {
    const std::string word = table->String("public", "echo").value;
    if (word == "echo") return ReadEcho(servers, name, table, config);
    return table->Fail("public", Concat("\"", word, "\" is unknown; use \"echo\" or a list [\"203.0.113.5\"]"));
  }
  for (const std::string_view key : {"echo", "echo_name"}) {
    if (table->Has(key)) table->Fail(key, "is only for public = \"echo\"; leave one of the two out");
  }
  const std::vector<Placed<std::string>> texts = table->Strings("public");
  for (const Placed<std::string>& text : texts) {
    if (const auto address = ParseIp(text.value)) {
      config->addresses.push_back(*address);
    } else {
      table->errors()->Add(text.place, Concat("\"", text.value, "\" is not an address; write it like 203.0.113.5"));
    }
  }
  if (texts.empty() || texts.size() > kMaxPublicAddresses) {
    table->Fail("public", Concat("needs 1 to ", kMaxPublicAddresses, " addresses, or \"echo\" to ask for them"));
  }
}

}  // namespace

std::optional<RegistrationConfig> ReadRegistration(TableReader* cluster) {
  if (!cluster->Has("registration")) return std::nullopt;
  TableReader table = cluster->Table("registration");
  RegistrationConfig config;
  config.enabled = table.Boolean("enabled", config.enabled);
  if (const auto text = table.RequiredString("server", Concat("name the zone's primary server; ", kServerForm))) {
    config.server = ReadServer(*text, table.errors()).value_or(Endpoint{});
  }
  if (const auto zone = table.RequiredString("zone", "write the zone's name like \"example\"")) {
    config.zone = ReadName(*zone, table.errors());
  }
  if (const auto name = table.RequiredString("name", "write the cluster's name in the zone like \"home1\"")) {
    config.name = NameInZone(*name, config.zone, table.errors());
  }
  if (const auto shared = table.OptionalString("shared")) {
    config.shared = NameInZone(*shared, config.zone, table.errors());
    if (!config.shared.empty() && config.shared == config.name) {
      table.Fail("shared", "is the name of this cluster; write the name that many clusters share, or leave it out");
    }
  }
  config.ttl = static_cast<uint32_t>(table.Integer("ttl", config.ttl, 1, kMostTtl));
  config.refresh = table.Interval("refresh", config.refresh, kLeastRefresh, kMostRefresh);
  ReadKey(&table, &config);
  ReadPublic(&table, &config);
  table.RejectUnknownKeys();
  return config;
}

}  // namespace qure
