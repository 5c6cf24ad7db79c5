// What the seeded hashes have in common.
#pragma once

#include <cstdint>

namespace qure {

// The mixer of wyhash (Wang Yi): both halves of the product depend on all bits of both factors. An outsider cannot
// choose inputs that meet if a secret is in one of them.
constexpr uint64_t FoldedMultiply(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace qure
