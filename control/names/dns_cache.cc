#include "control/names/dns_cache.h"

#include <algorithm>
#include <utility>

namespace qure {
namespace {

void SetTtls(uint32_t (*change)(uint32_t ttl, uint32_t by), uint32_t by, DnsFinding* finding) {
  for (DnsRecord& record : finding->records) record.ttl = change(record.ttl, by);
  if (finding->soa) finding->soa->ttl = change(finding->soa->ttl, by);
  finding->ttl = change(finding->ttl, by);
}

uint32_t Less(uint32_t ttl, uint32_t by) {
  return ttl - std::min(ttl, by);
}

uint32_t Exactly(uint32_t, uint32_t value) {
  return value;
}

}  // namespace

void DnsCache::Configure(size_t most_entries, Duration stale) {
  most_ = most_entries;
  stale_ = stale;
  while (entries_.size() > most_) Drop(entries_.find(used_.front()));
}

void DnsCache::Drop(std::map<DnsQuestion, Entry>::iterator entry) {
  used_.erase(entry->second.used);
  entries_.erase(entry);
}

std::optional<DnsCache::Hit> DnsCache::Find(MonoTime now, const DnsQuestion& question) {
  const auto found = entries_.find(question);
  if (found == entries_.end()) return std::nullopt;
  Entry& entry = found->second;
  if (now >= entry.until + stale_) {
    Drop(found);
    return std::nullopt;
  }
  used_.splice(used_.end(), used_, entry.used);
  Hit hit{.finding = entry.finding, .fresh = now < entry.until, .retry_at = entry.retry_at};
  if (hit.fresh) {
    SetTtls(Less, static_cast<uint32_t>((now - entry.since).ns / Seconds(1).ns), &hit.finding);
    hit.fetch = entry.until - now < (entry.until - entry.since) / kPrefetchPart;
  } else {
    SetTtls(Exactly, kStaleTtl, &hit.finding);
    hit.finding.stale = true;
  }
  return hit;
}

void DnsCache::Keep(MonoTime now, const DnsQuestion& question, DnsFinding finding,
                    std::shared_ptr<const DnsCachedAnswer> ready) {
  if (finding.ttl == 0 || most_ == 0 || ready->bytes.size() > kMostBytes) return;
  if (const auto known = entries_.find(question); known != entries_.end()) Drop(known);
  if (entries_.size() >= most_) Drop(entries_.find(used_.front()));
  const MonoTime until = now + Seconds(finding.ttl);
  used_.push_back(question);
  entries_.emplace(question, Entry{.finding = std::move(finding),
                                   .ready = std::move(ready),
                                   .since = now,
                                   .until = until,
                                   .retry_at = kLongAgo,
                                   .used = std::prev(used_.end())});
}

void DnsCache::OnFailure(MonoTime now, const DnsQuestion& question) {
  const auto known = entries_.find(question);
  if (known != entries_.end()) known->second.retry_at = now + kRecheck;
}

std::vector<std::shared_ptr<const DnsCachedAnswer>> DnsCache::Fresh(MonoTime now) const {
  std::vector<std::shared_ptr<const DnsCachedAnswer>> fresh;
  for (const auto& [question, entry] : entries_) {
    if (now < entry.until) fresh.push_back(entry.ready);
  }
  return fresh;
}

}  // namespace qure
