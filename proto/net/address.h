// MAC and IP addresses as wire bytes, with their text forms.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/endian.h"

namespace qure {

struct MacAddress {
  std::array<uint8_t, 6> bytes{};

  friend constexpr auto operator<=>(const MacAddress&, const MacAddress&) = default;
  // Compared on every frame against every address of ours: by words, where the default would call memcmp.
  friend constexpr bool operator==(const MacAddress& a, const MacAddress& b) {
    return ((a.high() ^ b.high()) | uint32_t(a.low() ^ b.low())) == 0;
  }
  constexpr uint32_t high() const {
    return std::bit_cast<uint32_t>(std::array{bytes[0], bytes[1], bytes[2], bytes[3]});
  }
  constexpr uint16_t low() const { return std::bit_cast<uint16_t>(std::array{bytes[4], bytes[5]}); }
  constexpr bool is_multicast() const {
    return (bytes[0] & 1) != 0;
  }  // group bit, broadcast included (IEEE 802-2014 §8.2.2)
  constexpr bool is_zero() const { return *this == MacAddress{}; }
};

// The group address beside a unicast one, locally administered (IEEE 802-2014 §8.2.2). For the service MACs, which are
// of the AAI quadrant, their neighbor in it (IEEE 802c §8.4.4).
constexpr MacAddress GroupMac(MacAddress mac) {
  mac.bytes[0] |= 0x03;
  return mac;
}

inline constexpr MacAddress kBroadcastMac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

struct Ipv4Address {
  std::array<uint8_t, 4> bytes{};

  friend constexpr auto operator<=>(const Ipv4Address&, const Ipv4Address&) = default;
  friend constexpr bool operator==(const Ipv4Address& a, const Ipv4Address& b) { return a.raw() == b.raw(); }
  constexpr uint32_t raw() const { return std::bit_cast<uint32_t>(bytes); }
  constexpr bool is_zero() const { return raw() == 0; }
  constexpr bool is_multicast() const { return (bytes[0] & 0xf0) == 0xe0; }  // RFC 1112 §4
  constexpr bool is_loopback() const { return bytes[0] == 127; }             // RFC 1122 §3.2.1.3 (g)
};

struct Ipv6Address {
  std::array<uint8_t, 16> bytes{};

  friend constexpr auto operator<=>(const Ipv6Address&, const Ipv6Address&) = default;
  friend constexpr bool operator==(const Ipv6Address& a, const Ipv6Address& b) {
    using Words = std::array<uint64_t, 2>;
    const Words x = std::bit_cast<Words>(a.bytes);
    const Words y = std::bit_cast<Words>(b.bytes);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
  }
  constexpr bool is_zero() const { return *this == Ipv6Address{}; }
  constexpr bool is_multicast() const { return bytes[0] == 0xff; }                                // RFC 4291 §2.7
  constexpr bool is_link_local() const { return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80; }  // RFC 4291 §2.5.6
};

// ff02::1
inline constexpr Ipv6Address kAllNodes{{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

// An address of either family.
class IpAddress {
 public:
  constexpr IpAddress() = default;  // 0.0.0.0
  constexpr IpAddress(const Ipv4Address& v4) { std::copy(v4.bytes.begin(), v4.bytes.end(), bytes_.begin()); }
  constexpr IpAddress(const Ipv6Address& v6) : bytes_(v6.bytes), is_v6_(true) {}

  constexpr bool is_v4() const { return !is_v6_; }
  constexpr bool is_v6() const { return is_v6_; }
  constexpr Ipv4Address v4() const { return {{bytes_[0], bytes_[1], bytes_[2], bytes_[3]}}; }
  constexpr Ipv6Address v6() const { return {bytes_}; }

  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  std::array<uint8_t, 16> bytes_{};
  bool is_v6_ = false;
};

// An address with the length of its on-link prefix: "198.51.100.50/24".
struct IpPrefix {
  IpAddress address;
  uint8_t length = 0;
  friend constexpr auto operator<=>(const IpPrefix&, const IpPrefix&) = default;
};

// Whether `address` lies in the network of `prefix`.
bool Contains(const IpPrefix& prefix, const IpAddress& address);
// The network itself: host bits cleared.
IpPrefix NetworkOf(const IpPrefix& prefix);

// ff02::1:ffXX:XXXX of `address` (RFC 4291 §2.7.1).
Ipv6Address SolicitedNode(const Ipv6Address& address);
// 01:00:5e and the last 23 bits of a multicast address (RFC 1112 §6.4).
MacAddress MulticastMac(const Ipv4Address& group);
// 33:33 and the last four bytes of a multicast address (RFC 2464 §7).
MacAddress MulticastMac(const Ipv6Address& group);
// fe80::/64 with the modified EUI-64 of `mac` (RFC 4291 appendix A): what the kernel gives an interface with this MAC.
Ipv6Address LinkLocalFromMac(const MacAddress& mac);

// Text to address; nullopt for anything that is not exactly one address ("::ffff:1.2.3.4" is a v6 address).
std::optional<MacAddress> ParseMac(std::string_view text);
std::optional<IpAddress> ParseIp(std::string_view text);
// Requires "/LENGTH" with LENGTH at most 32 or 128.
std::optional<IpPrefix> ParsePrefix(std::string_view text);

std::string ToString(const MacAddress& mac);
std::string ToString(const IpAddress& ip);
std::string ToString(const IpPrefix& prefix);

}  // namespace qure
