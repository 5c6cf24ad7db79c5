#include "control/names/mdns_publication.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "control/base/text.h"
#include "control/names/cluster_zone.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"
#include "proto/dns/rdata.h"

namespace qure {
namespace {

constexpr uint32_t kHostTtl = 120;  // seconds: for records that depend on a host name (RFC 6762 §10)
constexpr uint32_t kOtherTtl = 4500;

std::string Label(std::string_view text) {
  return Concat(std::string(1, static_cast<char>(text.size())), text);
}

class Publisher {
 public:
  Publisher(const std::set<std::string>& taken, std::vector<MdnsEntry>* entries) : taken_(taken), entries_(entries) {}

  void Add(std::string name, uint16_t type, std::string rdata, bool lasting) {
    const bool of_host = type != kDnsTypePtr && type != kDnsTypeTxt;
    entries_->push_back({{std::move(name), type, std::move(rdata), of_host ? kHostTtl : kOtherTtl, true}, lasting});
  }
  void AddPointer(std::string name, std::string target) {
    const MdnsEntry entry = {{std::move(name), kDnsTypePtr, std::move(target), kOtherTtl, false}, true};
    if (std::ranges::find(*entries_, entry) == entries_->end()) entries_->push_back(entry);
  }

  // Adds a host with its addresses, and their reverse names if `reverse`. Returns its name.
  std::optional<std::string> AddHost(std::string_view text, const std::vector<IpAddress>& addresses, bool lasting,
                                     bool reverse) {
    auto name = Free(text, "-", "", Label("local") + '\0');
    if (!name) return std::nullopt;
    for (const IpAddress& address : addresses) {
      Add(*name, DnsAddressType(address), DnsAddressRdata(address), lasting);
      if (reverse && !taken_.contains(ReverseName(address))) Add(ReverseName(address), kDnsTypePtr, *name, lasting);
    }
    return name;
  }

  void AddService(const ClusterFacts& facts, const ServiceConfig& config, const ClusterFacts::Service& service,
                  const std::string& target) {
    const std::string type = *DnsNameToWire(Concat(config.mdns, ".local"));
    const auto instance = Free(Concat(facts.cluster, " ", service.name), " (", ")", type);
    if (!instance) return;
    std::string txt;
    for (const std::string& text : config.txt) txt += Label(text);
    if (txt.empty()) txt.push_back('\0');  // RFC 6763 §6.1
    std::string fixed(4, '\0');            // priority and weight
    AppendNumber(service.port, 2, &fixed);
    Add(*instance, kDnsTypeSrv, fixed + target, true);
    Add(*instance, kDnsTypeTxt, txt, true);
    AddPointer(type, *instance);
    AddPointer(*DnsNameToWire("_services._dns-sd._udp.local"), type);  // RFC 6763 §9
  }

 private:
  // `text`, or `text` with the smallest number that makes it free; nullopt if it is too long.
  std::optional<std::string> Free(std::string_view text, std::string_view before, std::string_view after,
                                  const std::string& parent) const {
    std::string label(text);
    for (int number = 2; label.size() <= kDnsMaxLabel && !label.empty(); ++number) {
      std::string name = Label(label) + parent;
      if (!taken_.contains(DnsToLower(name))) return name;
      label = Concat(text, before, number, after);
    }
    return std::nullopt;
  }

  const std::set<std::string>& taken_;
  std::vector<MdnsEntry>* entries_;
};

}  // namespace

void AddTaken(const std::set<std::string>& lost, std::set<std::string>* taken) {
  if (taken->size() + lost.size() > kMostTaken) taken->clear();
  for (const std::string& name : lost) {
    if (taken->size() < kMostTaken) taken->insert(name);
  }
}

std::vector<MdnsEntry> MakeMdnsPublication(const ClusterFacts& facts, const ClusterConfig& config,
                                           const std::set<std::string>& taken) {
  std::vector<MdnsEntry> entries;
  Publisher publisher(taken, &entries);
  if (!facts.nodes.empty()) {
    const ClusterFacts::Node& self = facts.nodes.front();
    const bool named = DnsToLower(self.name) != DnsToLower(facts.cluster) && !self.addresses.empty();
    if (named) publisher.AddHost(self.name, self.addresses, false, true);
  }
  if (!facts.master || facts.service_addresses.empty()) return entries;
  const auto cluster = publisher.AddHost(facts.cluster, facts.service_addresses, true, true);
  for (const ClusterFacts::Service& service : facts.services) {
    const auto found = std::ranges::find(config.services, service.name, &ServiceConfig::name);
    if (found == config.services.end() || found->mdns.empty() || service.addresses.empty()) continue;
    // A service at only some of the addresses gets a host name of its own.
    const bool everywhere = service.addresses.size() == facts.service_addresses.size();
    const auto target =
        everywhere ? cluster
                   : publisher.AddHost(Concat(facts.cluster, "-", service.name), service.addresses, true, false);
    if (target) publisher.AddService(facts, *found, service, *target);
  }
  return entries;
}

}  // namespace qure
