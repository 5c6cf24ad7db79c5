#include "dataplane/pipeline/dns_limiter.h"

#include <algorithm>
#include <array>
#include <bit>

#include "proto/hash.h"

namespace qure {
namespace {

constexpr int kUnitBits = 20;  // of a tick
constexpr uint32_t kUnitsPerSecond = 1'000'000'000 >> (26 - kUnitBits);

// Network and family as one word: a /24 is mostly one site, and a /56 is what a site gets (RFC 6177 §2).
uint64_t NetworkWord(const IpAddress& client) {
  constexpr auto kMask4 = std::bit_cast<uint32_t>(std::array<uint8_t, 4>{0xff, 0xff, 0xff, 0});
  constexpr auto kMask6 = std::bit_cast<uint64_t>(std::array<uint8_t, 8>{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0});
  constexpr auto kIsV6 = std::bit_cast<uint64_t>(std::array<uint8_t, 8>{0, 0, 0, 0, 0, 0, 0, 1});
  if (client.is_v4()) return client.v4().raw() & kMask4;
  return (std::bit_cast<std::array<uint64_t, 2>>(client.v6().bytes)[0] & kMask6) | kIsV6;
}

// Answers of one kind about one subject are counted together: all that a zone does not have, whatever error it is.
constexpr uint8_t KindOf(Reason reason) {
  switch (reason) {
    case Reason::dns_answer:
    case Reason::dns_cached:
    case Reason::dns_truncated:
      return 1;
    case Reason::dns_referral:
      return 2;
    case Reason::dns_nodata:
    case Reason::dns_nxdomain:
      return 3;
    default:
      return 4;
  }
}
// Looked up: a branch on the reason could not be predicted.
constexpr auto kKinds = [] {
  std::array<uint8_t, kReasonCount> kinds{};
  for (size_t i = 0; i < kReasonCount; ++i) kinds[i] = KindOf(static_cast<Reason>(i));
  return kinds;
}();

}  // namespace

DnsLimiter::DnsLimiter(uint64_t seed) : seed_(seed), buckets_(kBuckets) {}

uint64_t DnsLimiter::HashOf(const IpAddress& client, Reason reason, uint64_t subject) const {
  constexpr uint64_t kSpread = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio
  const uint64_t about = FoldedMultiply(subject ^ seed_, kSpread + kKinds[static_cast<size_t>(reason)]);
  return FoldedMultiply(NetworkWord(client) ^ seed_, about | 1);
}

const void* DnsLimiter::BucketsOf(const IpAddress& client, Reason reason, uint64_t subject) const {
  return &buckets_[FirstOf(HashOf(client, reason, subject))];
}

DnsLimiter::Fate DnsLimiter::Judge(const DnsRateLimit& limit, const IpAddress& client, Reason reason, uint64_t subject,
                                   FlowTime now) {
  constexpr uint64_t kBurstUnits = static_cast<uint64_t>(kBurst.ns) >> (26 - kUnitBits);
  const uint64_t hash = HashOf(client, reason, subject);
  Bucket* const set = &buckets_[FirstOf(hash)];
  const auto mark = static_cast<uint32_t>(hash >> 32);

  // Without branches: they could not be predicted.
  const bool first = set[0].mark == mark;
  const bool second = set[1].mark == mark;
  const bool known = first | second;
  const bool second_idler = set[1].full_at < set[0].full_at;
  Bucket& bucket = set[static_cast<size_t>(!first) & static_cast<size_t>(second | second_idler)];
  bucket.mark = mark;
  bucket.over = known ? bucket.over : 0;
  const uint64_t time = uint64_t{now.ticks} << kUnitBits;
  const uint64_t full_at = std::max(known ? bucket.full_at : 0, time) + kUnitsPerSecond / limit.rate;
  if (full_at <= time + kBurstUnits) {
    bucket.full_at = full_at;
    return Fate::kSend;
  }
  return limit.slip != 0 && bucket.over++ % limit.slip == 0 ? Fate::kSlip : Fate::kDrop;
}

}  // namespace qure
