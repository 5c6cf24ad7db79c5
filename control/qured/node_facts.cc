#include "control/qured/node_facts.h"

#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <netinet/in.h>

#include <array>
#include <bit>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

#include "control/base/kernel_random.h"
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

// Of a file of /proc; empty if it cannot be read.
std::string ReadAll(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

Ipv6Address LastingIpv6In(std::string_view table, std::string_view interface) {
  constexpr unsigned kUnfit = IFA_F_TEMPORARY | IFA_F_DEPRECATED | IFA_F_TENTATIVE | IFA_F_DADFAILED;
  std::istringstream lines{std::string(table)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string digits;
    std::string name;
    unsigned index = 0;
    unsigned length = 0;
    unsigned scope = 0;  // 0: global, as the kernel has it
    unsigned flags = 0;
    words >> digits >> std::hex >> index >> length >> scope >> flags >> name;
    if (!words || digits.size() != 32 || name != interface || scope != 0 || (flags & kUnfit) != 0) continue;
    for (size_t at = 28; at > 0; at -= 4) digits.insert(at, 1, ':');
    if (const std::optional<IpAddress> address = ParseIp(digits)) return address->v6();
  }
  return {};
}

Ipv6Address NameAddress6(const NodeConfig& config, const std::string& lan_interface) {
  if (config.lan_mode == LanMode::kShared) return LastingIpv6In(ReadAll("/proc/net/if_inet6"), lan_interface);
  for (const IpPrefix& prefix : config.addresses) {
    if (prefix.address.is_v6()) return prefix.address.v6();
  }
  return {};
}

Ipv4Address ClusterAddress(const NodeConfig& config, const std::string& lan_interface) {
  if (config.lan_mode == LanMode::kShared) return FirstIpv4Of(lan_interface);
  for (const IpPrefix& prefix : config.addresses) {
    if (prefix.address.is_v4()) return prefix.address.v4();
  }
  return {};
}

NodeFacts GatherFacts(const NodeConfig& config, const StoredState& stored, const MacAddress& lan_mac,
                      const std::string& lan_interface) {
  NodeFacts facts;
  const KernelRandom random;
  facts.boot_id = std::bit_cast<BootId>(std::array{random(), random()});
  facts.node_id = stored.node_id;
  facts.name = config.name;
  facts.revision = std::string(Revision());
  facts.lan_mac = lan_mac;
  facts.lan_mode = config.lan_mode;
  facts.vlan = config.vlan;
  facts.address = ClusterAddress(config, lan_interface);
  facts.address6 = NameAddress6(config, lan_interface);
  facts.addresses = config.addresses;
  facts.priority = config.priority;
  facts.weight = config.weight;
  return facts;
}

}  // namespace qure
