// The zones that a server answers for: which is the closest to a name?
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "proto/dns/zone.h"

namespace qure {

class DnsZones {
 public:
  DnsZones() = default;
  // Of several zones with one apex the first counts.
  explicit DnsZones(std::vector<std::shared_ptr<const DnsZone>> zones);

  // The zone whose apex is the longest end of `name`; null if there is none.
  const DnsZone* Find(const DnsNameView& name) const;

 private:
  struct Bucket {
    DnsNameBuffer apex{std::string_view("\0", 1)};
    const DnsZone* zone = nullptr;
  };

  // Of the apexes of one length, as most lengths have one at most: how many there are, and where the last one is.
  struct OfLength {
    uint32_t count = 0;
    uint32_t bucket = 0;
  };

  std::vector<std::shared_ptr<const DnsZone>> zones_;
  std::vector<Bucket> buckets_;  // open addressing by the hash of the apex, a power of two, half full at most
  std::array<OfLength, kDnsMaxName + 1> lengths_{};
};

}  // namespace qure
