#include "proto/dns/name.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "proto/hash.h"

namespace qure {
namespace {

constexpr size_t kWord = sizeof(uint64_t);

// Eight bytes at a time: adds 0x20 to those within 'A' … 'Z'. Length bytes of labels are below 'A' and stay.
constexpr uint64_t ToLower(uint64_t word) {
  constexpr uint64_t kEach = 0x0101010101010101;
  const uint64_t low_bits = word & (0x7f * kEach);
  const uint64_t from_a = low_bits + (0x80 - 'A') * kEach;
  const uint64_t beyond_z = low_bits + (0x7f - 'Z') * kEach;
  const uint64_t upper = (from_a ^ beyond_z) & ~word & (0x80 * kEach);
  return word | upper >> 2;
}
static_assert(ToLower(0x405a415b617ac1da) == 0x407a615b617ac1da);

// The eight bytes before `end`.
uint64_t Before(const uint8_t* end) {
  uint64_t word;
  std::memcpy(&word, end - kWord, kWord);
  return word;
}
uint64_t LowerBefore(const uint8_t* end) {
  return ToLower(Before(end));
}

// Of such a word the last `count` bytes, 1 to 8.
uint64_t Last(uint64_t word, size_t count) {
  static_assert(std::endian::native == std::endian::little);
  return word >> 8 * (kWord - count);
}

constexpr char ToLower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

// Reads one character at `*position`, resolving \. and \DDD (RFC 1035 §5.1); nullopt if the escape is not sound.
std::optional<char> ReadEscaped(std::string_view text, size_t* position) {
  const char c = text[(*position)++];
  if (c != '\\') return c;
  if (*position == text.size()) return std::nullopt;
  const auto is_digit = [](char d) { return d >= '0' && d <= '9'; };
  if (!is_digit(text[*position])) return text[(*position)++];
  if (text.size() - *position < 3) return std::nullopt;
  int value = 0;
  for (const char d : text.substr(*position, 3)) {
    if (!is_digit(d)) return std::nullopt;
    value = value * 10 + (d - '0');
  }
  *position += 3;
  if (value > UINT8_MAX) return std::nullopt;
  return static_cast<char>(value);
}

void AppendEscaped(uint8_t c, std::string* text) {
  if (c == '.' || c == '\\') {
    *text += '\\';
  } else if (c <= ' ' || c > '~') {
    *text += '\\';
    *text += static_cast<char>('0' + c / 100);
    *text += static_cast<char>('0' + c / 10 % 10);
    c = static_cast<uint8_t>('0' + c % 10);
  }
  *text += static_cast<char>(c);
}

}  // namespace

std::optional<std::string> DnsNameToWire(std::string_view text) {
  if (text == ".") return std::string(1, '\0');
  std::string wire;
  for (size_t position = 0; position < text.size();) {
    std::string label;
    while (position < text.size() && text[position] != '.') {
      const std::optional<char> c = ReadEscaped(text, &position);
      if (!c) return std::nullopt;
      label += ToLower(*c);
    }
    if (position < text.size()) ++position;  // the dot
    if (label.empty() || label.size() > kDnsMaxLabel) return std::nullopt;
    wire += static_cast<char>(label.size());
    wire += label;
  }
  if (wire.empty() || wire.size() + 1 > kDnsMaxName) return std::nullopt;
  wire += '\0';
  return wire;
}

std::string DnsNameToText(ConstBytes wire) {
  std::string text;
  for (size_t offset = 0; offset < wire.size() && wire[offset] != 0;) {
    const size_t length = std::min<size_t>(wire[offset], wire.size() - offset - 1);
    for (const uint8_t c : wire.subspan(offset + 1, length)) AppendEscaped(c, &text);
    text += '.';
    offset += 1 + length;
  }
  return text.empty() ? "." : text;
}

bool DnsIsWithin(std::string_view name, std::string_view ancestor) {
  while (name.size() > ancestor.size()) name = DnsParent(name);
  return name == ancestor;
}

std::string DnsToLower(ConstBytes name) {
  std::string lower(name.size(), '\0');
  std::ranges::transform(name, lower.begin(), [](uint8_t c) { return ToLower(static_cast<char>(c)); });
  return lower;
}

uint64_t DnsNameView::Hash(uint64_t seed) const {
  constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15;
  constexpr uint64_t kCaseBits = 0x2020202020202020;  // that other bytes, too, lose this bit only makes names meet
  uint64_t hash = seed ^ length_;
  const uint8_t* end = end_;
  size_t left = length_;
  for (; left > kWord; end -= kWord, left -= kWord)
    hash = FoldedMultiply(hash ^ (Before(end) | kCaseBits), kMultiplier);
  hash = FoldedMultiply(hash ^ Last(Before(end) | kCaseBits, left), kMultiplier);
  return FoldedMultiply(hash ^ seed, kMultiplier);
}

bool operator==(const DnsNameView& a, const DnsNameView& b) {
  if (a.length_ != b.length_) return false;
  const uint8_t* end_a = a.end_;
  const uint8_t* end_b = b.end_;
  size_t left = a.length_;
  for (; left > kWord; end_a -= kWord, end_b -= kWord, left -= kWord) {
    if (LowerBefore(end_a) != LowerBefore(end_b)) return false;
  }
  return Last(LowerBefore(end_a) ^ LowerBefore(end_b), left) == 0;
}

bool DnsNameView::Matches(const DnsNameView& lower) const {
  if (length_ != lower.length_) return false;
  const auto same = [](uint64_t word, uint64_t known) { return word == known || ToLower(word) == known; };
  const uint8_t* end = end_;
  const uint8_t* end_lower = lower.end_;
  size_t left = length_;
  for (; left > kWord; end -= kWord, end_lower -= kWord, left -= kWord) {
    if (!same(Before(end), Before(end_lower))) return false;
  }
  return same(Last(Before(end), left), Last(Before(end_lower), left));
}

DnsNameBuffer::DnsNameBuffer(ConstBytes name, std::string_view prefix)
    : length_(std::min(prefix.size() + name.size(), kDnsMaxName)) {
  uint8_t* const begin = &bytes_[kLead];
  const size_t lead = std::min(prefix.size(), length_);
  std::copy_n(prefix.begin(), lead, begin);
  std::copy_n(name.begin(), length_ - lead, begin + lead);
}

}  // namespace qure
