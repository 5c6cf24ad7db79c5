// All that DNS answers are made from: part of the snapshot, immutable.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/dns/cache_table.h"
#include "proto/dns/cookie.h"
#include "proto/dns/zones.h"
#include "proto/net/lan_hosts.h"

namespace qure {

// How often one network gets the same answer; see dataplane/pipeline/dns_limiter.h.
struct DnsRateLimit {
  uint32_t rate = 200;  // answers a second; 0: no limit
  uint32_t slip = 2;    // of the answers beyond it, one in so many is sent, empty and with TC; 0: none
  friend bool operator==(const DnsRateLimit&, const DnsRateLimit&) = default;
};

struct DnsAuthority {
  DnsZones zones;
  DnsZones about;                                   // class CHAOS: what the server publishes about itself (RFC 4892)
  std::optional<DnsNameBuffer> echo;                // the name that stands for the address of the client
  std::shared_ptr<const DnsForwarding> forwarding;  // null: other names are refused
  LanHosts recursion;                               // who may ask for other names
  LanHosts lan;                                     // who gets answers from zones for the LAN only, without rate limit
  std::string nsid;                                 // at most kDnsMaxNsid bytes; empty: not sent
  // The first one makes cookies, all are good. None: cookies are ignored.
  std::vector<DnsCookieSecret> cookie_secrets;
};
inline constexpr size_t kDnsMaxNsid = 64;

}  // namespace qure
