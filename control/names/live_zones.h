// Zones that follow from what the node knows: names of the configuration that stand for changing addresses, and the
// cluster's own names. Pure.
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

// The top of the cluster's own names, for ordinary resolvers: only `.local` goes to mDNS (RFC 6762 §3).
inline constexpr std::string_view kClusterDomain = "localcluster";
// The name below it that stands for the address of whoever asks.
inline constexpr std::string_view kEchoLabel = "address";

// What a live name stands for.
struct LiveAddresses {
  bool known = false;  // else whoever asks is told to ask again (SERVFAIL)
  std::vector<IpAddress> addresses;
  uint32_t ttl = UINT32_MAX;  // seconds; the record's own counts if it is lower
  friend bool operator==(const LiveAddresses&, const LiveAddresses&) = default;
};

class LiveZones {
 public:
  // Names that share a bucket cannot be chosen by whoever does not know the seed.
  explicit LiveZones(uint64_t hash_seed) : hash_seed_(hash_seed) {}

  void Configure(const ClusterConfig& config);
  void OnFacts(const ClusterFacts& facts);
  void OnAliases(std::map<std::string, LiveAddresses> aliases);  // by target, in lower-case wire form
  void OnPublic(LiveAddresses addresses);
  void OnForwarding(std::shared_ptr<const DnsForwarding> forwarding);

  // What the aliases lead to, in lower-case wire form.
  std::set<std::string> targets() const;
  // Whether this server answers for the name, in lower-case wire form.
  bool IsOurs(std::string_view name) const;

  // All of it as it is now; null if nothing has changed since the last call. The cluster's names tell the uptime, so
  // they change every kUptimeStep. `unix_now` in seconds since 1970.
  std::shared_ptr<const LiveNames> Make(uint64_t unix_now);
  static constexpr uint64_t kUptimeStep = 10;  // seconds
  // What Make has last made; null: nothing yet.
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
