#include "control/config/dns_config.h"

#include <algorithm>
#include <string>

#include "control/base/text.h"
#include "proto/dns/message.h"
#include "proto/net/address.h"

namespace qure {
namespace {

constexpr int64_t kMostRate = 1'000'000;
constexpr int64_t kMostSlip = 100;
constexpr int64_t kMostLogEvery = 1'000'000'000;
constexpr int64_t kMostCache = 1'000'000;
constexpr Duration kMostStale = Seconds(86'400);
constexpr size_t kMostUpstreams = 8;

std::vector<Endpoint> ReadUpstreams(const std::vector<AddressConfig>& addresses, TableReader* resolver) {
  std::vector<Endpoint> upstreams;
  for (const Placed<std::string>& text : resolver->Strings("upstreams")) {
    const std::optional<Endpoint> upstream = ParseDnsServer(text.value);
    const auto fail = [&](std::string_view message) {
      resolver->errors()->Add(text.place, Concat("\"", text.value, "\" ", message));
    };
    const auto is_own = [&](const AddressConfig& own) {
      return std::ranges::any_of(own.candidates, [&](const IpPrefix& p) { return p.address == upstream->address; });
    };
    if (!upstream) {
      fail("is not a DNS server; write it like \"192.0.2.53\" or \"[2001:db8::53]:53\"");
    } else if (std::ranges::any_of(addresses, is_own)) {
      fail("is a service address of this cluster: it would ask itself; name another server");
    } else {
      upstreams.push_back(*upstream);
    }
  }
  if (upstreams.size() > kMostUpstreams) {
    resolver->Fail("upstreams", Concat("has ", upstreams.size(), " servers; name at most ", kMostUpstreams));
  }
  return upstreams;
}

std::vector<IpPrefix> ReadClients(TableReader* resolver) {
  std::vector<IpPrefix> clients;
  for (const Placed<std::string>& text : resolver->Strings("clients")) {
    const std::optional<IpPrefix> network = ParsePrefix(text.value);
    if (!network) {
      resolver->errors()->Add(text.place,
                              Concat("\"", text.value, "\" is not a network; write it like \"192.168.0.0/16\""));
    } else if (network->length == 0) {
      resolver->errors()->Add(text.place, Concat("\"", text.value,
                                                 "\" is all addresses: that would be an open resolver, which "
                                                 "attackers use to flood victims; name your own networks"));
    } else {
      clients.push_back(*network);
    }
  }
  return clients;
}

}  // namespace

std::optional<Endpoint> ParseDnsServer(std::string_view text) {
  if (const auto address = ParseIp(text)) return Endpoint{.address = *address, .port = kDnsPort};
  return ParseEndpoint(text);
}

ResolverConfig ReadResolver(const std::vector<AddressConfig>& addresses, TableReader resolver) {
  ResolverConfig config;
  config.upstreams = ReadUpstreams(addresses, &resolver);
  config.forward = resolver.Boolean("forward", config.forward);
  if (config.forward && config.upstreams.empty()) {
    resolver.Fail("forward", "there is no server to ask; name servers in upstreams, or leave it out");
  }
  config.clients = ReadClients(&resolver);
  config.cache_entries = static_cast<uint32_t>(resolver.Integer("cache_entries", config.cache_entries, 0, kMostCache));
  config.stale = resolver.Interval("stale", config.stale, Duration(), kMostStale);
  config.timeout = resolver.Interval("timeout", config.timeout, Milliseconds(50), Seconds(10));
  resolver.RejectUnknownKeys();
  return config;
}

DnsConfig ReadDns(TableReader dns) {
  DnsConfig config;
  config.limit.rate = static_cast<uint32_t>(dns.Integer("rate_limit", config.limit.rate, 0, kMostRate));
  config.limit.slip = static_cast<uint32_t>(dns.Integer("slip", config.limit.slip, 0, kMostSlip));
  config.log_every = static_cast<uint32_t>(dns.Integer("log_every", config.log_every, 0, kMostLogEvery));
  if (dns.Has("local_names")) config.local_names = dns.Boolean("local_names", true);
  dns.RejectUnknownKeys();
  return config;
}

}  // namespace qure
