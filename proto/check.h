// Assertions that are always on. A rule that does not hold ends the process, with file, line and values: a node that no
// longer knows what it does must stop, and its lease makes that safe, since the deputy takes over when it is silent.
// (TigerBeetle's style page gives the reasons at length.)
//
// For what the program itself guarantees. Never for packet bytes, or for anything else that came from outside: bad
// input is answered, dropped or reported.
//
//   QURE_CHECK(next > term_, next, term_);
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>

namespace qure {

struct CheckFailure {
  const char* file;
  int line;
  const char* condition;
  std::string values;  // "NAMES = VALUE, VALUE", as the check was given them; empty: none
};
std::string ToString(const CheckFailure& failure);

// What a failed check calls before the process ends. A handler may throw: the simulator's does, and so makes the
// failure a violation of the run's seed. Null, the default: prints to standard error. Set once, before threads begin.
using CheckHandler = void (*)(const CheckFailure& failure);
void SetCheckHandler(CheckHandler handler);

[[noreturn]] void FailCheck(const CheckFailure& failure);

namespace check_internal {
template <typename T>
concept HasToString = requires(const T& value) {
  { ToString(value) } -> std::convertible_to<std::string>;
};
template <typename T>
concept HasNanoseconds = requires(const T& value) {
  { value.ns } -> std::convertible_to<long long>;
};

template <typename T>
std::string TextOf(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_enum_v<T>) {
    return std::to_string(static_cast<long long>(value));
  } else if constexpr (std::is_arithmetic_v<T>) {
    return std::to_string(value);
  } else if constexpr (std::is_convertible_v<T, std::string_view>) {
    return std::string(std::string_view(value));
  } else if constexpr (HasNanoseconds<T>) {
    return std::to_string(value.ns) + " ns";
  } else {
    static_assert(HasToString<T>, "a checked value needs ToString");
    return ToString(value);
  }
}

inline std::string Values(std::string_view) {
  return {};
}
template <typename First, typename... Rest>
std::string Values(std::string_view names, const First& first, const Rest&... rest) {
  std::string text = std::string(names) + " = " + TextOf(first);
  ((text += ", " + TextOf(rest)), ...);
  return text;
}
}  // namespace check_internal

}  // namespace qure

#define QURE_CHECK(condition, ...)                                                                                    \
  do {                                                                                                                \
    if (!(condition)) [[unlikely]] {                                                                                  \
      ::qure::FailCheck(                                                                                              \
          {__FILE__, __LINE__, #condition, ::qure::check_internal::Values(#__VA_ARGS__ __VA_OPT__(, ) __VA_ARGS__)}); \
    }                                                                                                                 \
  } while (false)
