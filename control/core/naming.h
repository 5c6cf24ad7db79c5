// From the configuration to what the workers look names and services up in.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "control/core/config.h"
#include "control/core/node_facts.h"
#include "proto/dns/authority.h"
#include "proto/net/lan_hosts.h"
#include "proto/services.h"

namespace qure {

// The names that follow from what the node knows, as they are now. Made by the names' own thread.
struct LiveNames {
  std::map<std::shared_ptr<const LiveZone>, std::shared_ptr<const DnsZone>> zones;  // what has become of each
  std::vector<std::shared_ptr<const DnsZone>> own;                                  // `.localcluster`, reverse names
  std::optional<DnsNameBuffer> echo;
  std::shared_ptr<const DnsForwarding> forwarding;  // null: other names are refused
};

// Null when nothing is answered. `live` may be null; the node's name answers the question which server it is (RFC 4892,
// RFC 5001); `secrets` are those of its DNS cookies.
std::shared_ptr<const DnsAuthority> BuildDnsAuthority(const ClusterConfig& config, const NodeFacts& facts,
                                                      const LiveNames* live, std::vector<DnsCookieSecret> secrets);

// The hosts of the LAN: those in the networks of the service addresses and of the node's own, with a link-local address
// (RFC 4291 §2.5.6), and this machine itself; and those that resolver.clients names alone, a gateway too.
LanHosts LanHostsOf(const ClusterConfig& config, const std::vector<IpPrefix>& node_addresses);

// Whether the names below `.localcluster` and the reverse ones are answered: when names are, unless it is configured.
bool AnswersLocalNames(const ClusterConfig& config);

// The services as the workers look them up; `id_of` gives the number of a service address.
std::shared_ptr<const ServiceMap> BuildServices(const ClusterConfig& config,
                                                const std::function<uint8_t(const IpAddress&)>& id_of);

// Whether a service at this address has delivery = "multicast": then the address is at a group MAC.
bool ReachesAll(const ClusterConfig& config, const AddressConfig& address);

}  // namespace qure
