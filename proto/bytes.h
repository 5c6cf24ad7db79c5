// Bounded access to packet bytes. Headers are structs of byte-aligned fields, so any offset will do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include "proto/reason.h"

namespace qure {

using ConstBytes = std::span<const uint8_t>;
using MutableBytes = std::span<uint8_t>;

inline ConstBytes AsBytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view AsText(ConstBytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// What a parser found wrong; nullopt when the bytes are sound.
using ParseError = std::optional<Reason>;

template <typename H>
concept WireHeader = std::is_trivially_copyable_v<H> && alignof(H) == 1;

// The header at `offset`, or nullptr if it does not fit.
template <WireHeader H>
const H* HeaderAt(ConstBytes bytes, size_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(H)) return nullptr;
  return reinterpret_cast<const H*>(bytes.data() + offset);
}

template <WireHeader H>
H* MutableHeaderAt(MutableBytes bytes, size_t offset) {
  return const_cast<H*>(HeaderAt<H>(bytes, offset));
}

}  // namespace qure
