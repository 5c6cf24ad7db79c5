#include "proto/dns/cookie.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "proto/endian.h"

namespace qure {
namespace {

constexpr std::string_view kDomain = "QuRe DNS cookie";
constexpr uint8_t kVersion = 1;  // RFC 9018 §4.1
constexpr int32_t kOldest = 3600;
constexpr int32_t kRenewAfter = 1800;
constexpr int32_t kAhead = 300;

struct CookieHead {
  uint8_t version;
  std::array<uint8_t, 3> reserved;
  Be32 time;
};
static_assert(sizeof(CookieHead) == 8);
static_assert(sizeof(DnsCookieSecret) == crypto_shorthash_siphash24_KEYBYTES);

// SipHash-2-4 of client cookie, head and address (RFC 9018 §4.4).
std::array<uint8_t, 8> HashOf(const DnsCookieSecret& secret, ConstBytes client, const CookieHead& head,
                              const IpAddress& address) {
  std::array<uint8_t, kDnsClientCookie + sizeof(CookieHead) + 16> input;
  uint8_t* end = input.data();
  const auto put = [&end](const void* bytes, size_t count) {
    std::memcpy(end, bytes, count);
    end += count;
  };
  put(client.data(), kDnsClientCookie);
  put(&head, sizeof(head));
  if (address.is_v4()) {
    put(address.v4().bytes.data(), address.v4().bytes.size());
  } else {
    put(address.v6().bytes.data(), address.v6().bytes.size());
  }
  std::array<uint8_t, 8> hash;
  crypto_shorthash_siphash24(hash.data(), input.data(), static_cast<size_t>(end - input.data()), secret.data());
  return hash;
}

}  // namespace

DnsCookieSecret DnsCookieSecretOf(ConstBytes cluster_key) {
  DnsCookieSecret secret;
  crypto_generichash_blake2b(secret.data(), secret.size(), reinterpret_cast<const uint8_t*>(kDomain.data()),
                             kDomain.size(), cluster_key.data(), cluster_key.size());
  return secret;
}

DnsServerCookie MakeDnsCookie(const DnsCookieSecret& secret, ConstBytes client, const IpAddress& address,
                              uint32_t time) {
  const CookieHead head = {.version = kVersion, .reserved = {}, .time = Be32(time)};
  const std::array<uint8_t, 8> hash = HashOf(secret, client, head, address);
  DnsServerCookie cookie;
  std::memcpy(cookie.data(), &head, sizeof(head));
  std::memcpy(cookie.data() + sizeof(head), hash.data(), hash.size());
  return cookie;
}

DnsCookieState CheckDnsCookie(const std::vector<DnsCookieSecret>& secrets, ConstBytes client, ConstBytes server,
                              const IpAddress& address, uint32_t time) {
  if (client.size() != kDnsClientCookie || server.size() != kDnsServerCookie) return DnsCookieState::kForeign;
  const auto* head = HeaderAt<CookieHead>(server, 0);
  const auto age = static_cast<int32_t>(time - head->time.value());  // serial numbers (RFC 1982)
  if (head->version != kVersion || age > kOldest || age < -kAhead) return DnsCookieState::kForeign;
  const ConstBytes claimed = server.subspan(sizeof(CookieHead));
  const bool ours = std::ranges::any_of(secrets, [&](const DnsCookieSecret& secret) {
    return sodium_memcmp(HashOf(secret, client, *head, address).data(), claimed.data(), claimed.size()) == 0;
  });
  if (!ours) return DnsCookieState::kForeign;
  return age > kRenewAfter ? DnsCookieState::kAging : DnsCookieState::kGood;
}

}  // namespace qure
