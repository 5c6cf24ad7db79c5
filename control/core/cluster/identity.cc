#include "control/core/cluster/identity.h"

#include <sodium.h>

#include <algorithm>
#include <initializer_list>
#include <span>

#include "absl/strings/escaping.h"
#include "proto/bytes.h"

namespace qure {
namespace {

using Digest = std::array<uint8_t, crypto_generichash_BYTES_MIN>;

// BLAKE2b of `domain`, a zero byte and `parts`: the same input never means the same in two domains.
Digest Hash(std::string_view domain, std::initializer_list<std::span<const uint8_t>> parts) {
  constexpr uint8_t kEndOfDomain = 0;
  Digest digest;
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, digest.size());
  crypto_generichash_update(&state, AsBytes(domain).data(), domain.size());
  crypto_generichash_update(&state, &kEndOfDomain, 1);
  for (const std::span<const uint8_t> part : parts) crypto_generichash_update(&state, part.data(), part.size());
  crypto_generichash_final(&state, digest.data(), digest.size());
  return digest;
}

MacAddress LocalMac(const Digest& digest) {
  MacAddress mac;
  std::copy_n(digest.begin(), mac.bytes.size(), mac.bytes.begin());
  mac.bytes[0] = static_cast<uint8_t>((mac.bytes[0] & 0xf0) | 0x02);
  return mac;
}

// The first four bytes.
uint32_t Number(const Digest& digest) {
  uint32_t number = 0;
  for (size_t i = 0; i < sizeof(number); ++i) number = number << 8 | digest[i];
  return number;
}

}  // namespace

ClusterId ClusterIdFromName(std::string_view name) {
  return Hash("qure cluster id", {AsBytes(name)});
}

MacAddress ServiceMacFor(const ClusterId& cluster, const IpAddress& address) {
  if (address.is_v4()) return LocalMac(Hash("qure service mac, IPv4", {cluster, address.v4().bytes}));
  return LocalMac(Hash("qure service mac, IPv6", {cluster, address.v6().bytes}));
}

MacAddress NodeMac(const NodeId& node, int hop) {
  MacAddress mac = LocalMac(Hash("qure node mac", {node}));
  mac.bytes[5] = static_cast<uint8_t>((mac.bytes[5] & 0xfe) | (hop & 1));
  return mac;
}

Ipv4Address GroupFor(const ClusterId& cluster) {
  const Digest digest = Hash("qure group", {cluster});
  // 239.192.0.0/14 without its last 256 addresses, which are for relative assignments (RFC 2365 §9).
  const uint32_t offset = Number(digest) % ((1u << 18) - 256);
  return {{239, static_cast<uint8_t>(192 + (offset >> 16)), static_cast<uint8_t>(offset >> 8),
           static_cast<uint8_t>(offset)}};
}

Ipv4Address LinkLocalFor(const NodeId& node) {
  const Digest digest = Hash("qure link-local address", {node});
  // RFC 3927 §2.1: the first and the last 256 addresses are reserved.
  const uint32_t offset = 256 + Number(digest) % ((1u << 16) - 512);
  return {{169, 254, static_cast<uint8_t>(offset >> 8), static_cast<uint8_t>(offset)}};
}

uint64_t Fingerprint(std::string_view bytes) {
  Digest digest;
  crypto_generichash(digest.data(), digest.size(), AsBytes(bytes).data(), bytes.size(), nullptr, 0);
  uint64_t fingerprint = 0;
  std::copy_n(digest.begin(), sizeof(fingerprint), reinterpret_cast<uint8_t*>(&fingerprint));
  return fingerprint;
}

std::string ToHex(const std::array<uint8_t, 16>& id) {
  return absl::BytesToHexString({reinterpret_cast<const char*>(id.data()), id.size()});
}

}  // namespace qure
