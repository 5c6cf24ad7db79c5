// Response rate limiting: keeps the server from being used to flood a third party with its answers (Vixie and Schryver,
// DNS Response Rate Limiting, ISC-TN-2012-1). The source of a query may be forged. A real client keeps the answer; the
// same query again and again is meant for a victim.
//
// Answers are counted by network, a /24 or a /56, and by subject: the records of one name or wildcard, one delegation,
// what one zone does not have, or errors. Many users behind one address ask for many names, and are left alone. Each
// pair of them has a token bucket in a fixed table in sets of two; a new one takes over the bucket of its set that is
// idle or nearest to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "proto/dns/authority.h"
#include "proto/flow.h"
#include "proto/net/address.h"
#include "proto/reason.h"

namespace qure {

class DnsLimiter {
 public:
  static constexpr size_t kBuckets = 16'384;
  // What a bucket saves up, in time: a burst of so many answers is no flood yet.
  static constexpr Duration kBurst = Seconds(2);

  enum class Fate : uint8_t {
    kSend,
    kSlip,  // beyond the limit, but the client is to learn that it can come again by TCP, where no source is forged
    kDrop,
  };

  // `seed`: random, unknown to the clients.
  explicit DnsLimiter(uint64_t seed);

  // An answer of this reason to `client`; `subject`: what it is about (DnsReply). `limit.rate` is not 0.
  Fate Judge(const DnsRateLimit& limit, const IpAddress& client, Reason reason, uint64_t subject, FlowTime now);
  // Where Judge will look, to be prefetched.
  const void* BucketsOf(const IpAddress& client, Reason reason, uint64_t subject) const;

 private:
  static constexpr size_t kWays = 2;

  // Its level as a time: it is empty while that is kBurst ahead.
  struct Bucket {
    uint64_t full_at = 0;  // in units of a 2^20th of a tick of FlowTime: 64 ns
    uint32_t mark = 0;     // of whom it is: two are taken for one with a chance of 2^-31 per look
    uint32_t over = 0;     // answers beyond the limit
  };

  static size_t FirstOf(uint64_t hash) { return hash % (kBuckets / kWays) * kWays; }  // of its set
  uint64_t HashOf(const IpAddress& client, Reason reason, uint64_t subject) const;

  const uint64_t seed_;
  std::vector<Bucket> buckets_;
};

}  // namespace qure
