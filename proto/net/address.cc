#include "proto/net/address.h"

#include <arpa/inet.h>

#include <charconv>

namespace qure {
namespace {

constexpr int kBase16 = 16;

// A v4 address comes first, zeros behind it.
std::array<uint8_t, 16> BytesOf(const IpAddress& ip) {
  if (ip.is_v6()) return ip.v6().bytes;
  const auto v4 = ip.v4().bytes;
  return {v4[0], v4[1], v4[2], v4[3]};
}

// Clears the bits behind the first `length`.
void ClearHostBits(std::array<uint8_t, 16>* bytes, uint8_t length) {
  for (size_t i = 0; i < bytes->size(); ++i) {
    const size_t kept = length > i * 8 ? length - i * 8 : 0;
    if (kept < 8) (*bytes)[i] &= static_cast<uint8_t>(0xff00 >> kept);
  }
}

}  // namespace

IpPrefix NetworkOf(const IpPrefix& prefix) {
  std::array<uint8_t, 16> bytes = BytesOf(prefix.address);
  ClearHostBits(&bytes, prefix.length);
  if (prefix.address.is_v6()) return {Ipv6Address{bytes}, prefix.length};
  return {Ipv4Address{{bytes[0], bytes[1], bytes[2], bytes[3]}}, prefix.length};
}

bool Contains(const IpPrefix& prefix, const IpAddress& address) {
  return NetworkOf(prefix) == NetworkOf({address, prefix.length});  // never equal across families
}

Ipv6Address SolicitedNode(const Ipv6Address& address) {
  const auto& b = address.bytes;
  return {{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, b[13], b[14], b[15]}};
}

MacAddress MulticastMac(const Ipv4Address& group) {
  const auto& b = group.bytes;
  return {{0x01, 0x00, 0x5e, static_cast<uint8_t>(b[1] & 0x7f), b[2], b[3]}};
}

MacAddress MulticastMac(const Ipv6Address& group) {
  const auto& b = group.bytes;
  return {{0x33, 0x33, b[12], b[13], b[14], b[15]}};
}

Ipv6Address LinkLocalFromMac(const MacAddress& mac) {
  const auto& b = mac.bytes;
  const auto flipped = static_cast<uint8_t>(b[0] ^ 0x02);  // the universal/local bit
  return {{0xfe, 0x80, 0, 0, 0, 0, 0, 0, flipped, b[1], b[2], 0xff, 0xfe, b[3], b[4], b[5]}};
}

std::optional<MacAddress> ParseMac(std::string_view text) {
  MacAddress mac;
  if (text.size() != 3 * mac.bytes.size() - 1) return std::nullopt;
  for (size_t i = 0; i < mac.bytes.size(); ++i) {
    const char* digits = text.data() + 3 * i;
    const auto [end, error] = std::from_chars(digits, digits + 2, mac.bytes[i], kBase16);
    if (error != std::errc() || end != digits + 2) return std::nullopt;
    if (i != 0 && digits[-1] != ':') return std::nullopt;
  }
  return mac;
}

std::optional<IpAddress> ParseIp(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::copy(text.begin(), text.end(), terminated.begin());
  if (Ipv4Address v4; inet_pton(AF_INET, terminated.data(), v4.bytes.data()) == 1) return v4;
  if (Ipv6Address v6; inet_pton(AF_INET6, terminated.data(), v6.bytes.data()) == 1) return v6;
  return std::nullopt;
}

std::optional<IpPrefix> ParsePrefix(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::optional<IpAddress> address = ParseIp(text.substr(0, slash));
  if (!address) return std::nullopt;

  uint8_t length = 0;
  const char* end_of_text = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data() + slash + 1, end_of_text, length);
  if (error != std::errc() || end != end_of_text || length > (address->is_v6() ? 128 : 32)) return std::nullopt;
  return IpPrefix{*address, length};
}

std::string ToString(const MacAddress& mac) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : mac.bytes) {
    if (!text.empty()) text += ':';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0xf];
  }
  return text;
}

std::string ToString(const IpAddress& ip) {
  const std::array<uint8_t, 16> bytes = BytesOf(ip);
  std::array<char, INET6_ADDRSTRLEN> text;  // long enough for every address, so inet_ntop does not fail
  return inet_ntop(ip.is_v6() ? AF_INET6 : AF_INET, bytes.data(), text.data(), text.size());
}

std::string ToString(const IpPrefix& prefix) {
  return ToString(prefix.address) + "/" + std::to_string(prefix.length);
}

}  // namespace qure
