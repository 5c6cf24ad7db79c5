// The clocks of the DNS thread: Asio's timers and MonoTime use the same one.
#pragma once

#include <chrono>

#include "proto/time.h"

namespace qure {

inline MonoTime SteadyNow() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::nanoseconds>(since).count()};
}

// Seconds since 1970.
inline uint64_t UnixNow() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(since).count());
}

inline std::chrono::steady_clock::time_point ToSteady(MonoTime at) {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(at.ns));
}

}  // namespace qure
