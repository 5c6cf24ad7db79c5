// Queries other servers, caches their answers, and merges queries for the same question.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "control/core/config.h"
#include "control/names/dns_cache.h"
#include "control/names/dns_exchange.h"
#include "control/names/upstreams.h"
#include "nlohmann/json.hpp"
#include "proto/dns/response.h"

namespace qure {

class Resolver {
 public:
  // Limits of the questions under way and of the callers that wait for them. One more gets a stale answer or SERVFAIL.
  static constexpr size_t kMostUnderWay = 1000;
  static constexpr size_t kMostWaiting = 4000;
  static constexpr Duration kStalePatience = Milliseconds(1800);  // then a stale answer is given (RFC 8767 §5)

  // Calls `on_kept` when the cache has a new finding.
  Resolver(asio::io_context& io, std::function<void()> on_kept);
  ~Resolver();

  void Configure(const ResolverConfig& config);

  // Called once, in the loop, possibly before Resolve returns.
  using Done = std::function<void(const DnsFinding& finding)>;
  // Answers from the cache or from the servers. If no server answers: with a stale finding, or SERVFAIL.
  void Resolve(const DnsQuestion& question, Done done);
  // Answers from the servers; joins a query for the same question that is under way.
  void Fetch(const DnsQuestion& question, Done done);

  const DnsCache& cache() const { return cache_; }
  nlohmann::ordered_json ShowCache() const;
  nlohmann::ordered_json ShowUpstreams() const;

 private:
  struct Search;

  bool HasRoomFor(const DnsQuestion& question) const;
  bool GivesStaleAtOnce(MonoTime now, const DnsQuestion& question, const DnsCache::Hit& stale) const;
  std::vector<Done> TakeWaiting(Search* search);
  void Next(const std::shared_ptr<Search>& search);
  void OnTried(const std::shared_ptr<Search>& search, const std::string& error);
  void GiveStale(const std::shared_ptr<Search>& search);
  void End(const std::shared_ptr<Search>& search, const DnsFinding& finding);

  asio::io_context& io_;
  const std::function<void()> on_kept_;
  ResolverConfig config_;
  Upstreams upstreams_;
  DnsCache cache_;
  std::map<DnsQuestion, std::shared_ptr<Search>> under_way_;
  size_t waiting_ = 0;  // in all searches
  struct {
    uint64_t hits = 0;
    uint64_t misses = 0;
    uint64_t stale = 0;
    uint64_t prefetches = 0;
    uint64_t merged = 0;
    uint64_t failures = 0;
    uint64_t refused = 0;
  } counts_;
};

}  // namespace qure
