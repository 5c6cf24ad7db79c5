#include "proto/balance.h"

#include <sodium.h>

#include <cstring>

namespace qure {

uint32_t ShareRow(const BalanceSeed& seed, Affinity affinity, const FlowKey& key) {
  static_assert(sizeof(BalanceSeed) == crypto_shorthash_KEYBYTES);
  // The address, or address and port: they stand side by side.
  const size_t length = affinity == Affinity::kAddress ? sizeof(key.remote) : sizeof(key.remote) + sizeof(Be16);
  uint64_t hash;
  crypto_shorthash(reinterpret_cast<uint8_t*>(&hash), reinterpret_cast<const uint8_t*>(&key), length, seed.data());
  return static_cast<uint32_t>((hash >> 32) * kShareRows >> 32);
}

}  // namespace qure
