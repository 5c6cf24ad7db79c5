#include "proto/dns_zones.h"

#include <bit>
#include <cstring>
#include <utility>

namespace qure {

constexpr uint64_t kHashSeed = 0;  // the apexes are few, and not chosen by whoever asks

DnsZones::DnsZones(std::vector<std::shared_ptr<const DnsZone>> zones)
    : zones_(std::move(zones)), buckets_(std::bit_ceil(2 * zones_.size() + 1)) {
  for (const auto& zone : zones_) {
    const DnsLowerName apex(zone->apex());
    if (const DnsZone* const known = Find(apex); known != nullptr && known->apex() == zone->apex()) continue;
    lengths_.set(zone->apex().size());
    size_t i = DnsNameHash(apex.bytes(), kHashSeed) & (buckets_.size() - 1);
    while (buckets_[i] != nullptr) i = (i + 1) & (buckets_.size() - 1);
    buckets_[i] = zone.get();
  }
}

const DnsZone* DnsZones::Find(const DnsLowerName& name) const {
  for (ConstBytes rest = name.bytes(); !buckets_.empty(); rest = DnsParent(rest)) {
    if (lengths_.test(rest.size())) {
      const size_t mask = buckets_.size() - 1;
      for (size_t i = DnsNameHash(rest, kHashSeed) & mask; buckets_[i] != nullptr; i = (i + 1) & mask) {
        const std::string& apex = buckets_[i]->apex();
        if (apex.size() == rest.size() && std::memcmp(apex.data(), rest.data(), rest.size()) == 0) {
          return buckets_[i];
        }
      }
    }
    if (rest.size() <= 1) break;
  }
  return nullptr;
}

}  // namespace qure
