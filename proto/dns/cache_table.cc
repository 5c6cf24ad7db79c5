#include "proto/dns/cache_table.h"

#include <bit>
#include <utility>

#include "proto/hash.h"

namespace qure {

DnsCacheTable::DnsCacheTable(std::vector<std::shared_ptr<const DnsCachedAnswer>> answers, uint64_t hash_seed)
    : hash_seed_(hash_seed), answers_(std::move(answers)), buckets_(std::bit_ceil(2 * answers_.size() + 1)) {
  const size_t mask = buckets_.size() - 1;
  for (const auto& answer : answers_) {
    const uint64_t hash = HashOf(answer->name.view(), answer->type);
    size_t i = hash & mask;
    while (buckets_[i].answer != nullptr) i = (i + 1) & mask;
    buckets_[i] = {.hash = hash, .answer = answer.get()};
  }
}

uint64_t DnsCacheTable::HashOf(const DnsNameView& name, uint16_t type) const {
  return FoldedMultiply(name.Hash(hash_seed_) + type, hash_seed_ | 1);
}

const DnsCachedAnswer* DnsCacheTable::Find(const DnsNameView& name, uint16_t type, uint32_t time) const {
  if (answers_.empty()) return nullptr;
  const size_t mask = buckets_.size() - 1;
  const uint64_t hash = HashOf(name, type);
  for (size_t i = hash & mask; buckets_[i].answer != nullptr; i = (i + 1) & mask) {
    const Bucket& bucket = buckets_[i];
    if (bucket.hash != hash || bucket.answer->type != type || !name.Matches(bucket.answer->name.view())) continue;
    return time >= bucket.answer->since && time < bucket.answer->until ? bucket.answer : nullptr;
  }
  return nullptr;
}

}  // namespace qure
