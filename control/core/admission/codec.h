// How records and messages of admission are written and read: integers big-endian, a text with its length before it.
// What is read is bounded by the caller and by the bytes there are.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/bytes.h"

namespace qure::admission {

// Appends what a Reader takes.
class Writer {
 public:
  template <typename T>
  void Integer(T value) {
    for (int shift = 8 * (static_cast<int>(sizeof(T)) - 1); shift >= 0; shift -= 8) {
      bytes_.push_back(static_cast<uint8_t>(value >> shift));
    }
  }
  void Bytes(ConstBytes bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  // At most 255 bytes.
  void Text(std::string_view text) {
    Integer(static_cast<uint8_t>(text.size()));
    Bytes(AsBytes(text));
  }
  // At most 65,535 bytes, with their length in two before them.
  void Block(ConstBytes bytes) {
    Integer(static_cast<uint16_t>(bytes.size()));
    Bytes(bytes);
  }
  std::vector<uint8_t> Take() { return std::move(bytes_); }

 private:
  std::vector<uint8_t> bytes_;
};

// Never reads beyond the end: what is missing reads as zero, and ok() says so.
class Reader {
 public:
  explicit Reader(ConstBytes bytes) : left_(bytes) {}

  template <typename T>
  void Integer(T* out) {
    uint64_t value = 0;
    for (const uint8_t byte : Next(sizeof(T))) value = value << 8 | byte;
    *out = static_cast<T>(value);
  }
  template <size_t N>
  void Bytes(std::array<uint8_t, N>* out) {
    const ConstBytes bytes = Next(N);
    std::copy(bytes.begin(), bytes.end(), out->begin());
  }
  void Text(size_t most, std::string* out) {
    uint8_t size = 0;
    Integer(&size);
    if (size > most) ok_ = false;
    if (ok_) *out = AsText(Next(size));
  }
  ConstBytes Block(size_t most) {
    uint16_t size = 0;
    Integer(&size);
    if (size > most) ok_ = false;
    return Next(size);
  }
  // All that is left.
  ConstBytes Rest(size_t most) {
    if (left_.size() > most) ok_ = false;
    return Next(left_.size());
  }
  bool ok() const { return ok_; }
  bool done() const { return ok_ && left_.empty(); }

 private:
  ConstBytes Next(size_t size) {
    if (size > left_.size()) ok_ = false;
    if (!ok_) return {};
    const ConstBytes next = left_.first(size);
    left_ = left_.subspan(size);
    return next;
  }

  ConstBytes left_;
  bool ok_ = true;
};

// A name or a reason is shown on consoles: no control characters, and so no escape sequences.
inline bool IsPrintable(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<uint8_t>(c) < 0x20 || c == 0x7f; });
}

}  // namespace qure::admission
