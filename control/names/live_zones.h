// Zones whose records change while the node runs: configured names with changing addresses, and the cluster's own
// names. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/core/cluster_facts.h"
#include "control/core/config.h"
#include "control/core/naming.h"

namespace qure {

// The domain of the cluster's own names, for ordinary resolvers: only `.local` uses mDNS (RFC 6762 §3).
inline constexpr std::string_view kClusterDomain = "localcluster";
// The name below it whose address is that of the client.
inline constexpr std::string_view kEchoLabel = "address";

// The present addresses of a live name.
struct LiveAddresses {
  bool known = false;  // false: clients get SERVFAIL and may try again
  std::vector<IpAddress> addresses;
  uint32_t ttl = UINT32_MAX;  // seconds; a lower TTL of the record takes precedence
  friend bool operator==(const LiveAddresses&, const LiveAddresses&) = default;
};

class LiveZones {
 public:
  // `hash_seed` is secret, so that a client cannot choose names that share a hash bucket.
  explicit LiveZones(uint64_t hash_seed) : hash_seed_(hash_seed) {}

  void Configure(const ClusterConfig& config);
  void OnFacts(const ClusterFacts& facts);
  void OnAliases(std::map<std::string, LiveAddresses> aliases);  // by target, in lower-case wire form
  void OnPublic(LiveAddresses addresses);
  void OnForwarding(std::shared_ptr<const DnsForwarding> forwarding);

  // The targets of the aliases, in lower-case wire form.
  std::set<std::string> targets() const;
  // Whether this server is authoritative for the name, in lower-case wire form.
  bool IsOurs(std::string_view name) const;

  // All names as they are now; null if nothing has changed since the last call. The cluster's records include its
  // uptime, so they change every kUptimeStep. `unix_now` in seconds since 1970.
  std::shared_ptr<const LiveNames> Make(uint64_t unix_now);
  static constexpr uint64_t kUptimeStep = 10;  // seconds
  // The last result of Make that was not null; null before the first one.
  const std::shared_ptr<const LiveNames>& latest() const { return latest_; }

 private:
  struct Zone {
    std::shared_ptr<const LiveZone> plan;
    std::vector<LiveAddresses> made_of;
    std::shared_ptr<const DnsZone> made;
  };

  LiveAddresses Find(const LiveRecord& record) const;
  bool MakeZones();
  bool MakeOwn(uint64_t unix_now);

  const uint64_t hash_seed_;
  bool local_names_ = false;
  bool changed_ = true;
  std::optional<ClusterFacts> facts_;
  std::map<std::string, LiveAddresses> aliases_;
  LiveAddresses public_;
  std::shared_ptr<const DnsForwarding> forwarding_;
  std::vector<std::string> apexes_;  // of the configuration
  std::vector<Zone> zones_;
  std::vector<std::shared_ptr<const DnsZone>> own_;
  std::optional<ClusterFacts> own_made_of_;
  uint64_t own_made_at_ = 0;
  std::shared_ptr<const LiveNames> latest_;
};

}  // namespace qure
