// What other servers have answered, ready for the packet path: part of the snapshot, immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proto/dns/name.h"

namespace qure {

// The answer to one question. Times in seconds of Unix time.
struct DnsCachedAnswer {
  DnsNameBuffer name{std::string_view("\0", 1)};  // in lower case
  uint16_t type = 0;
  uint8_t rcode = 0;
  uint16_t answers = 0;
  uint16_t authorities = 0;
  std::vector<uint8_t> bytes;    // the records as they stand behind the question
  std::vector<uint16_t> ttl_at;  // where their TTLs are in `bytes`: as they were at `since`
  uint32_t since = 0;
  uint32_t until = 0;  // not any more from then on
};

class DnsCacheTable {
 public:
  DnsCacheTable() = default;
  // `hash_seed` as DnsNameView::Hash.
  DnsCacheTable(std::vector<std::shared_ptr<const DnsCachedAnswer>> answers, uint64_t hash_seed);

  // Null if there is none at `time`.
  const DnsCachedAnswer* Find(const DnsNameView& name, uint16_t type, uint32_t time) const;
  size_t size() const { return answers_.size(); }

 private:
  struct Bucket {
    uint64_t hash = 0;
    const DnsCachedAnswer* answer = nullptr;  // null: empty
  };

  uint64_t HashOf(const DnsNameView& name, uint16_t type) const;

  uint64_t hash_seed_ = 0;
  std::vector<std::shared_ptr<const DnsCachedAnswer>> answers_;
  std::vector<Bucket> buckets_;  // open addressing, a power of two, at most half full
};

// Names that are not ours: what is known of them.
struct DnsForwarding {
  DnsCacheTable cache;
};

}  // namespace qure
