// Random numbers that a restored snapshot does not repeat.
#pragma once

#include <cstdint>

#include "proto/time.h"

namespace qure {

// What the kernel's generator has `drawn`, made another at each instant. A kernel that is restored and has no VM
// generation id draws the same again, until it takes fresh noise: up to a minute later.
constexpr uint64_t Fresh(uint64_t drawn, MonoTime now) {
  return drawn ^ static_cast<uint64_t>(now.ns) * 0x9e3779b97f4a7c15;
}

}  // namespace qure
