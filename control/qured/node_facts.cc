#include "control/qured/node_facts.h"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/random.h>

#include <cerrno>
#include <cstring>

#include "control/base/version.h"

namespace qure {
namespace {

Ipv4Address FirstIpv4Of(const std::string& interface) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) < 0) return {};
  Ipv4Address found;
  for (const ifaddrs* entry = list; entry != nullptr && found.is_zero(); entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET || interface != entry->ifa_name) continue;
    sockaddr_in address{};
    std::memcpy(&address, entry->ifa_addr, sizeof(address));
    std::memcpy(found.bytes.data(), &address.sin_addr, found.bytes.size());
  }
  freeifaddrs(list);
  return found;
}

}  // namespace

Ipv4Address ClusterAddress(const NodeConfig& config, const std::string& lan_interface) {
  if (config.lan_mode == LanMode::kShared) return FirstIpv4Of(lan_interface);
  for (const IpPrefix& prefix : config.addresses) {
    if (prefix.address.is_v4()) return prefix.address.v4();
  }
  return {};
}

absl::StatusOr<NodeFacts> GatherFacts(const NodeConfig& config, const StoredState& stored, const MacAddress& lan_mac,
                                      const std::string& lan_interface) {
  NodeFacts facts;
  if (getrandom(facts.boot_id.data(), facts.boot_id.size(), 0) != static_cast<ssize_t>(facts.boot_id.size())) {
    return absl::ErrnoToStatus(errno, "no random numbers from the kernel");
  }
  facts.node_id = stored.node_id;
  facts.name = config.name;
  facts.revision = std::string(Revision());
  facts.lan_mac = lan_mac;
  facts.lan_mode = config.lan_mode;
  facts.vlan = config.vlan;
  facts.address = ClusterAddress(config, lan_interface);
  facts.addresses = config.addresses;
  facts.priority = config.priority;
  facts.weight = config.weight;
  return facts;
}

}  // namespace qure
