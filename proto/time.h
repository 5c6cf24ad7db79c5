// Points and spans of a node's monotonic clock, as plain values. Nothing here reads a clock: time is always an
// argument.
#pragma once

#include <compare>
#include <cstdint>

namespace qure {

struct Duration {
  int64_t ns = 0;
  friend constexpr auto operator<=>(Duration, Duration) = default;
  friend constexpr Duration operator+(Duration a, Duration b) { return {a.ns + b.ns}; }
  friend constexpr Duration operator-(Duration a, Duration b) { return {a.ns - b.ns}; }
  friend constexpr Duration operator*(Duration a, int64_t n) { return {a.ns * n}; }
  friend constexpr Duration operator/(Duration a, int64_t n) { return {a.ns / n}; }
};

constexpr Duration Microseconds(int64_t n) {
  return {n * 1'000};
}
constexpr Duration Milliseconds(int64_t n) {
  return {n * 1'000'000};
}
constexpr Duration Seconds(int64_t n) {
  return {n * 1'000'000'000};
}

constexpr double ToSeconds(Duration span) {
  return static_cast<double>(span.ns) / 1e9;
}

// Nanoseconds since an arbitrary origin that is fixed for the life of the process.
struct MonoTime {
  int64_t ns = 0;
  friend constexpr auto operator<=>(MonoTime, MonoTime) = default;
  friend constexpr MonoTime operator+(MonoTime t, Duration d) { return {t.ns + d.ns}; }
  friend constexpr MonoTime operator-(MonoTime t, Duration d) { return {t.ns - d.ns}; }
  friend constexpr Duration operator-(MonoTime a, MonoTime b) { return {a.ns - b.ns}; }
};

// Later than every time that occurs: the deadline of a timer that is not set.
inline constexpr MonoTime kNever{INT64_MAX};
// Earlier than every time that occurs: when something that has not happened yet last happened. A span from here to any
// time that occurs does not overflow.
inline constexpr MonoTime kLongAgo{INT64_MIN / 2};

}  // namespace qure
