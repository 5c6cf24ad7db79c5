// Text from parts. The absl::StrCat of Debian's Abseil takes absl::string_view, which is not std::string_view there.
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

// absl::StrCat that also takes std::string_view.
template <typename... Parts>
std::string Concat(const Parts&... parts) {
  return absl::StrCat(text_internal::Part(parts)...);
}

// Accepts decimal digits only.
inline std::optional<uint32_t> ParseUnsigned(std::string_view text) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace qure
