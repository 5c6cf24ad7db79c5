// What other servers have said, as long as it may be kept, and for some time after (RFC 8767). Pure.
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
  static constexpr uint32_t kStaleTtl = 30;     // seconds, of what is given though it is too old (RFC 8767 §4)
  static constexpr int64_t kPrefetchPart = 10;  // asked for in the last tenth of its time, it is fetched again

  static constexpr size_t kMostBytes = 4096;  // of an answer that is kept
  // How long what is too old is given at once after nobody has answered. RFC 8767 §5 has 30 s, for the servers of all
  // the world; ours are few, and whether they live is known.
  static constexpr Duration kRecheck = Seconds(5);

  void Configure(size_t most_entries, Duration stale);

  struct Hit {
    DnsFinding finding;  // TTLs counted down
    bool fresh = false;  // else only for when nobody answers
    bool fetch = false;  // it is asked for and soon too old
    MonoTime retry_at;   // until then nobody needs to be asked: they did not answer
  };
  std::optional<Hit> Find(MonoTime now, const DnsQuestion& question);
  // Nothing is kept of what may not be, or is longer than kMostBytes. `ready` is the finding as the packet path answers
  // it.
  void Keep(MonoTime now, const DnsQuestion& question, DnsFinding finding,
            std::shared_ptr<const DnsCachedAnswer> ready);

  // Nobody could say.
  void OnFailure(MonoTime now, const DnsQuestion& question);

  size_t size() const { return entries_.size(); }
  // What is fresh, for the packet path.
  std::vector<std::shared_ptr<const DnsCachedAnswer>> Fresh(MonoTime now) const;

 private:
  struct Entry {
    DnsFinding finding;
    std::shared_ptr<const DnsCachedAnswer> ready;
    MonoTime since;
    MonoTime until;
    MonoTime retry_at;
    std::list<DnsQuestion>::iterator used;
  };

  void Drop(std::map<DnsQuestion, Entry>::iterator entry);

  size_t most_ = 10'000;
  Duration stale_;
  std::map<DnsQuestion, Entry> entries_;
  std::list<DnsQuestion> used_;  // the one used longest ago first
};

}  // namespace qure
