#include "control/names/live_zones.h"

#include <algorithm>
#include <utility>

#include "control/base/text.h"
#include "control/names/cluster_zone.h"
#include "proto/dns/message.h"
#include "proto/dns/rdata.h"
#include "proto/dns/zone_builder.h"

namespace qure {
namespace {

void AddLive(const LiveRecord& record, const LiveAddresses& now, DnsZoneBuilder* builder) {
  if (!now.known) {
    builder->AddFailing(record.name);
    return;
  }
  builder->AddName(record.name);
  for (const IpAddress& address : now.addresses) {
    builder->Add({.name = record.name,
                  .type = DnsAddressType(address),
                  .ttl = std::min(record.ttl, now.ttl),
                  .rdata = DnsAddressRdata(address)});
  }
  if (record.rotate) builder->Rotate(record.name);
}

std::shared_ptr<const DnsZone> Build(const LiveZone& plan, const std::vector<LiveAddresses>& made_of) {
  DnsZoneBuilder builder = plan.base;
  for (size_t i = 0; i < plan.live.size(); ++i) AddLive(plan.live[i], made_of[i], &builder);
  return std::make_shared<const DnsZone>(builder.Build());
}

LiveAddresses Sorted(std::vector<IpAddress> addresses) {
  std::ranges::sort(addresses);
  const bool known = !addresses.empty();
  return {.known = known, .addresses = std::move(addresses)};
}

}  // namespace

void LiveZones::Configure(const ClusterConfig& config) {
  apexes_.clear();
  std::vector<Zone> before = std::exchange(zones_, {});
  for (const ZoneConfig& zone : config.zones) {
    apexes_.push_back(zone.zone->apex());
    if (zone.live == nullptr) continue;
    const auto known = std::ranges::find(before, zone.live, &Zone::plan);
    zones_.push_back(known != before.end() ? std::move(*known) : Zone{.plan = zone.live});
  }
  local_names_ = AnswersLocalNames(config);
  own_made_of_.reset();
  changed_ = true;
}

void LiveZones::OnFacts(const ClusterFacts& facts) {
  facts_ = facts;
}

void LiveZones::OnAliases(std::map<std::string, LiveAddresses> aliases) {
  aliases_ = std::move(aliases);
}

void LiveZones::OnPublic(LiveAddresses addresses) {
  public_ = std::move(addresses);
}

void LiveZones::OnForwarding(std::shared_ptr<const DnsForwarding> forwarding) {
  changed_ |= forwarding_ != forwarding;
  forwarding_ = std::move(forwarding);
}

std::set<std::string> LiveZones::targets() const {
  std::set<std::string> targets;
  for (const Zone& zone : zones_) {
    for (const LiveRecord& record : zone.plan->live) {
      if (record.from == LiveRecord::From::kAlias) targets.insert(record.argument);
    }
  }
  return targets;
}

bool LiveZones::IsOurs(std::string_view name) const {
  const auto within = [&](const std::string& apex) { return DnsIsWithin(name, apex); };
  return std::ranges::any_of(apexes_, within) ||
         std::ranges::any_of(own_, [&](const auto& zone) { return within(zone->apex()); });
}

LiveAddresses LiveZones::Find(const LiveRecord& record) const {
  if (record.from == LiveRecord::From::kAlias) {
    const auto alias = aliases_.find(record.argument);
    if (alias == aliases_.end()) return {};
    LiveAddresses addresses = alias->second;
    addresses.ttl = std::min(addresses.ttl, record.ttl);  // a higher TTL does not change the zone
    return addresses;
  }
  if (record.from == LiveRecord::From::kPublic) return public_;
  if (!facts_) return {};
  if (record.from == LiveRecord::From::kServiceAddresses) return Sorted(facts_->service_addresses);
  const auto service = std::ranges::find(facts_->services, record.argument, &ClusterFacts::Service::name);
  std::vector<IpAddress> addresses;
  for (const ClusterFacts::Node& node : facts_->nodes) {
    const bool wanted = record.from == LiveRecord::From::kThisNode
                            ? &node == &facts_->nodes.front()
                            : service != facts_->services.end() && service->IsHealthy(node.id);
    if (wanted) addresses.insert(addresses.end(), node.addresses.begin(), node.addresses.end());
  }
  LiveAddresses found = Sorted(std::move(addresses));
  // That this node has no address is certain.
  found.known |= record.from == LiveRecord::From::kThisNode && !facts_->nodes.empty();
  return found;
}

bool LiveZones::MakeZones() {
  bool made = false;
  for (Zone& zone : zones_) {
    std::vector<LiveAddresses> now;
    for (const LiveRecord& record : zone.plan->live) now.push_back(Find(record));
    if (zone.made != nullptr && zone.made_of == now) continue;
    zone.made = Build(*zone.plan, now);
    zone.made_of = std::move(now);
    made = true;
  }
  return made;
}

bool LiveZones::MakeOwn(uint64_t unix_now) {
  if (!facts_ || !local_names_) return !std::exchange(own_, {}).empty();
  const bool timely = unix_now >= own_made_at_ && unix_now < own_made_at_ + kUptimeStep;  // the clock may be set back
  const bool as_before = own_made_of_ == facts_ && timely;
  if (as_before) return false;
  own_ = MakeClusterZones(*facts_, hash_seed_, unix_now);
  // A configured zone takes precedence over a generated one.
  std::erase_if(own_, [&](const std::shared_ptr<const DnsZone>& zone) {
    return std::ranges::any_of(apexes_, [&](const std::string& apex) { return DnsIsWithin(zone->apex(), apex); });
  });
  own_made_of_ = facts_;
  own_made_at_ = unix_now;
  return true;
}

std::shared_ptr<const LiveNames> LiveZones::Make(uint64_t unix_now) {
  const bool zones_made = MakeZones();
  const bool own_made = MakeOwn(unix_now);
  if (!zones_made && !own_made && !std::exchange(changed_, false)) return nullptr;
  changed_ = false;
  auto names = std::make_shared<LiveNames>();
  for (const Zone& zone : zones_) names->zones.emplace(zone.plan, zone.made);
  names->own = own_;
  names->forwarding = forwarding_;
  const std::string echo = *DnsNameToWire(Concat(kEchoLabel, ".", kClusterDomain));
  const auto answers_it = [&](const std::shared_ptr<const DnsZone>& zone) { return DnsIsWithin(echo, zone->apex()); };
  if (std::ranges::any_of(own_, answers_it)) names->echo.emplace(std::string_view(echo));
  latest_ = names;
  return latest_;
}

}  // namespace qure
