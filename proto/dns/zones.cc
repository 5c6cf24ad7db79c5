#include "proto/dns/zones.h"

#include <bit>
#include <utility>

namespace qure {

constexpr uint64_t kHashSeed = 0;  // the apexes are few, and not chosen by clients

DnsZones::DnsZones(std::vector<std::shared_ptr<const DnsZone>> zones)
    : zones_(std::move(zones)), buckets_(std::bit_ceil(2 * zones_.size() + 1)) {
  for (const auto& zone : zones_) {
    const DnsNameBuffer apex(zone->apex());
    const uint64_t hash = apex.view().Hash(kHashSeed);
    size_t i = hash & (buckets_.size() - 1);
    while (buckets_[i].zone != nullptr && !(buckets_[i].apex.view() == apex.view()))
      i = (i + 1) & (buckets_.size() - 1);
    if (buckets_[i].zone != nullptr) continue;
    buckets_[i] = {.apex = apex, .zone = zone.get()};
    OfLength& same = lengths_[zone->apex().size()];
    same = {.count = same.count + 1, .bucket = static_cast<uint32_t>(i)};
  }
}

const DnsZone* DnsZones::Find(const DnsNameView& name) const {
  for (DnsNameView rest = name;; rest = rest.parent()) {
    const OfLength& same = lengths_[rest.length()];
    if (same.count == 1) {
      const Bucket& only = buckets_[same.bucket];
      if (rest.Matches(only.apex.view())) return only.zone;
    } else if (same.count > 1) {
      const size_t mask = buckets_.size() - 1;
      for (size_t i = rest.Hash(kHashSeed) & mask; buckets_[i].zone != nullptr; i = (i + 1) & mask) {
        if (rest.Matches(buckets_[i].apex.view())) return buckets_[i].zone;
      }
    }
    if (rest.is_root()) return nullptr;
  }
}

}  // namespace qure
