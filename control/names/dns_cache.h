// Findings of other servers, kept for their time to live and, as stale ones, for some time after (RFC 8767). Pure.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "proto/dns/cache_table.h"
#include "proto/dns/response.h"
#include "proto/time.h"

namespace qure {

class DnsCache {
 public:
  static constexpr uint32_t kStaleTtl = 30;     // seconds, in a stale answer (RFC 8767 §4)
  static constexpr int64_t kPrefetchPart = 10;  // a query in the last tenth of the time to live starts a new fetch

  static constexpr size_t kMostBytes = 4096;  // of an answer in the cache
  // How long a stale finding is given at once, without a query, after no server has answered. RFC 8767 §5 recommends
  // 30 s, for any server of the Internet. Here the servers are few and their state is known.
  static constexpr Duration kRecheck = Seconds(5);

  void Configure(size_t most_entries, Duration stale);

  struct Hit {
    DnsFinding finding;            // TTLs counted down
    bool fresh = false;            // false: stale, to be used only if no server answers
    bool fetch = false;            // it expires soon: fetch it again
    MonoTime retry_at = kLongAgo;  // no query is worthwhile before: the servers did not answer
  };
  std::optional<Hit> Find(MonoTime now, const DnsQuestion& question);
  // Keeps nothing if the TTL is zero or the answer is longer than kMostBytes. `ready` is the finding as an answer of
  // the packet path.
  void Keep(MonoTime now, const DnsQuestion& question, DnsFinding finding,
            std::shared_ptr<const DnsCachedAnswer> ready);

  // No server had an answer.
  void OnFailure(MonoTime now, const DnsQuestion& question);

  size_t size() const { return entries_.size(); }
  // All fresh answers, for the packet path.
  std::vector<std::shared_ptr<const DnsCachedAnswer>> Fresh(MonoTime now) const;

 private:
  struct Entry {
    DnsFinding finding;
    std::shared_ptr<const DnsCachedAnswer> ready;
    MonoTime since;
    MonoTime until;
    MonoTime retry_at = kLongAgo;
    std::list<DnsQuestion>::iterator used;
  };

  void Drop(std::map<DnsQuestion, Entry>::iterator entry);

  size_t most_ = 10'000;
  Duration stale_;
  std::map<DnsQuestion, Entry> entries_;
  std::list<DnsQuestion> used_;  // least recently used first
};

}  // namespace qure
