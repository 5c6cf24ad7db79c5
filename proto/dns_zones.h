// The zones that a server answers for: which is the closest to a name?
#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <vector>

#include "proto/dns_zone.h"

namespace qure {

class DnsZones {
 public:
  DnsZones() = default;
  // Of several zones with one apex the first counts.
  explicit DnsZones(std::vector<std::shared_ptr<const DnsZone>> zones);

  // The zone whose apex is the longest end of `name`; null if there is none.
  const DnsZone* Find(const DnsNameView& name) const;
  bool large() const { return large_; }  // one of them is

 private:
  struct Bucket {
    DnsNameBuffer apex{std::string_view("\0", 1)};
    const DnsZone* zone = nullptr;
  };

  std::vector<std::shared_ptr<const DnsZone>> zones_;
  bool large_ = false;
  std::vector<Bucket> buckets_;           // open addressing by the hash of the apex, a power of two, half full at most
  std::bitset<kDnsMaxName + 1> lengths_;  // of all apexes
};

}  // namespace qure
