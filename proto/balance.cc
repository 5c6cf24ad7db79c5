#include "proto/balance.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>

namespace qure {

uint32_t LookupEntry(const BalanceSeed& seed, Affinity affinity, const FlowKey& key, uint32_t table_size) {
  static_assert(sizeof(BalanceSeed) == crypto_shorthash_KEYBYTES);
  // The address, or address and port: they stand side by side.
  const size_t length = affinity == Affinity::kAddress ? sizeof(key.remote) : sizeof(key.remote) + sizeof(Be16);
  uint64_t hash;
  crypto_shorthash(reinterpret_cast<uint8_t*>(&hash), reinterpret_cast<const uint8_t*>(&key), length, seed.data());
  return static_cast<uint32_t>((hash >> 32) * table_size >> 32);
}

Affinity AffinityFor(const EpochTables& epoch, Affinity affinity, const RemoteAddress& remote) {
  if (affinity != Affinity::kAdaptive) return affinity;
  return std::ranges::binary_search(epoch.heavy_hitters, remote) ? Affinity::kSocket : Affinity::kAddress;
}

NodeSlot OwnerIn(const Balance& balance, const EpochTables& epoch, const ServiceMap& services, uint8_t service,
                 const FlowKey& key) {
  const LookupTable* const table = epoch.services[service - 1].get();
  if (table == nullptr) return kSelfSlot;
  const Affinity affinity = AffinityFor(epoch, services.services[service - 1].affinity, key.remote);
  return (*table)[LookupEntry(balance.seed, affinity, key, static_cast<uint32_t>(table->size()))];
}

}  // namespace qure
