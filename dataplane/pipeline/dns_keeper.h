// Owns what a worker remembers of DNS.
#pragma once

#include <cstdint>

#include "dataplane/pipeline/counters.h"
#include "dataplane/pipeline/dns_limiter.h"
#include "dataplane/pipeline/worker_memory.h"

namespace qure {

class DnsKeeper {
 public:
  // `seed`: random, unknown to the clients. `counters` has the query log.
  DnsKeeper(uint64_t seed, WorkerCounters* counters) : limiter_(seed), counters_(counters) {}

  DnsMemory memory() { return {.limiter = &limiter_, .queries = &counters_->dns}; }

 private:
  DnsLimiter limiter_;
  WorkerCounters* const counters_;
};

}  // namespace qure
