// Text from parts. Debian's Abseil has a string view of its own that absl::StrCat takes instead of the standard one.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "absl/strings/str_cat.h"

namespace qure {

namespace text_internal {
inline absl::string_view Part(std::string_view text) {
  return {text.data(), text.size()};
}
inline absl::string_view Part(absl::string_view text) {
  return text;
}
inline absl::string_view Part(const std::string& text) {
  return text;
}
inline absl::string_view Part(const char* text) {
  return text;
}
template <typename Number>
requires std::is_arithmetic_v<Number> absl::AlphaNum Part(Number number) {
  return number;
}
}  // namespace text_internal

// absl::StrCat that takes std::string_view as well.
template <typename... Parts>
std::string Concat(const Parts&... parts) {
  return absl::StrCat(text_internal::Part(parts)...);
}

// Decimal digits and nothing else.
inline std::optional<uint32_t> ParseUnsigned(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace qure
