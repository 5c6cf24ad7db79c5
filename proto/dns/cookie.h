// DNS cookies (RFC 7873) in the form that all nodes of a cluster, and other servers, can share (RFC 9018): a client
// that repeats the one that it got has proved that it gets what is sent to its address.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "proto/bytes.h"
#include "proto/net/address.h"

namespace qure {

inline constexpr size_t kDnsClientCookie = 8;   // RFC 7873 §4
inline constexpr size_t kDnsServerCookie = 16;  // RFC 9018 §4
using DnsClientCookie = std::array<uint8_t, kDnsClientCookie>;
using DnsServerCookie = std::array<uint8_t, kDnsServerCookie>;
using DnsCookieSecret = std::array<uint8_t, 16>;

// The secret that goes with a cluster key, the same on all nodes.
DnsCookieSecret DnsCookieSecretOf(ConstBytes cluster_key);

// `time` in seconds of Unix time; it wraps, as in RFC 9018 §4.3.
DnsServerCookie MakeDnsCookie(const DnsCookieSecret& secret, ConstBytes client, const IpAddress& address,
                              uint32_t time);

enum class DnsCookieState : uint8_t {
  kForeign,  // not ours, too old, or from the future
  kGood,
  kAging,  // good, but older than half an hour: the client gets a new one
};
// Of version 1, made with one of `secrets` within the last hour, or up to five minutes ahead of us (RFC 9018 §4.3).
DnsCookieState CheckDnsCookie(const std::vector<DnsCookieSecret>& secrets, ConstBytes client, ConstBytes server,
                              const IpAddress& address, uint32_t time);

}  // namespace qure
