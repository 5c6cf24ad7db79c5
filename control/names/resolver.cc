#include "control/names/resolver.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "control/names/cached_answer.h"
#include "control/names/clock.h"
#include "proto/dns/message.h"

namespace qure {

// Its handlers keep it alive.
struct Resolver::Search {
  Search(asio::io_context& io, DnsQuestion the_question) : question(std::move(the_question)), exchange(io), timer(io) {}

  const DnsQuestion question;
  std::vector<Done> waiting;
  std::vector<Endpoint> to_ask;   // the next one last
  std::optional<Endpoint> again;  // asked once more if no server answers, because a datagram can be lost
  Endpoint asked;
  MonoTime asked_at;
  uint16_t id = 0;
  DnsResponse heard;
  DnsExchange exchange;
  asio::steady_timer timer;  // until a stale answer is given
  bool gave_stale = false;
  bool over = false;  // the resolver is destroyed
};

Resolver::Resolver(asio::io_context& io, std::function<void()> on_kept) : io_(io), on_kept_(std::move(on_kept)) {}

Resolver::~Resolver() {
  for (const auto& [question, search] : under_way_) {
    search->over = true;
    search->exchange.Cancel();
  }
}

void Resolver::Configure(const ResolverConfig& config) {
  config_ = config;
  upstreams_.Configure(config.upstreams);
  cache_.Configure(config.cache_entries, config.stale);
}

void Resolver::Resolve(const DnsQuestion& question, Done done) {
  const MonoTime now = SteadyNow();
  const std::optional<DnsCache::Hit> hit = cache_.Find(now, question);
  if (hit && hit->fresh) {
    ++counts_.hits;
    if (hit->fetch && !under_way_.contains(question)) {
      ++counts_.prefetches;
      Fetch(question, [](const DnsFinding&) {});
    }
    return done(hit->finding);
  }
  ++counts_.misses;
  if (hit && GivesStaleAtOnce(now, question, *hit)) {
    ++counts_.stale;
    return done(hit->finding);
  }
  Fetch(question, std::move(done));
}

bool Resolver::HasRoomFor(const DnsQuestion& question) const {
  return waiting_ < kMostWaiting && (under_way_.contains(question) || under_way_.size() < kMostUnderWay);
}

// Whether no server is expected to answer (RFC 8767 §5), or there is no room to wait.
bool Resolver::GivesStaleAtOnce(MonoTime now, const DnsQuestion& question, const DnsCache::Hit& stale) const {
  if (now < stale.retry_at || !HasRoomFor(question)) return true;
  const auto search = under_way_.find(question);
  return search != under_way_.end() && search->second->gave_stale;
}

void Resolver::Fetch(const DnsQuestion& question, Done done) {
  if (!HasRoomFor(question)) {
    ++counts_.refused;
    return done({.rcode = kDnsServFail});
  }
  ++waiting_;
  if (const auto same = under_way_.find(question); same != under_way_.end()) {
    ++counts_.merged;
    same->second->waiting.push_back(std::move(done));
    return;
  }
  const auto search = std::make_shared<Search>(io_, question);
  search->waiting.push_back(std::move(done));
  search->to_ask = upstreams_.Order(SteadyNow());
  if (!search->to_ask.empty()) search->again = search->to_ask.front();
  std::ranges::reverse(search->to_ask);
  under_way_.emplace(question, search);
  search->timer.expires_after(std::chrono::nanoseconds(kStalePatience.ns));
  search->timer.async_wait([this, search](asio::error_code error) {
    if (!error && !search->over) GiveStale(search);
  });
  Next(search);
}

void Resolver::Next(const std::shared_ptr<Search>& search) {
  if (search->to_ask.empty()) {
    ++counts_.failures;
    cache_.OnFailure(SteadyNow(), search->question);
    GiveStale(search);
    return End(search, {.rcode = kDnsServFail});
  }
  search->asked = search->to_ask.back();
  search->to_ask.pop_back();
  search->asked_at = SteadyNow();
  search->id = RandomDnsId();
  Search* const held = search.get();  // no shared_ptr: the search owns the exchange
  search->exchange.Start(
      search->asked, WriteDnsQuestion(search->question, search->id), config_.timeout,
      [held](ConstBytes message) {
        held->heard = ReadDnsResponse(message, held->id, held->question);
        return JudgementOf(held->heard);
      },
      [this, search](const std::string& error) { OnTried(search, error); });
}

void Resolver::OnTried(const std::shared_ptr<Search>& search, const std::string& error) {
  const MonoTime now = SteadyNow();
  if (!error.empty()) {
    upstreams_.OnFailure(now, search->asked, error);
    if (search->to_ask.empty() && search->again) search->to_ask.push_back(*std::exchange(search->again, std::nullopt));
    return Next(search);
  }
  upstreams_.OnAnswer(search->asked, now - search->asked_at);
  if (search->heard.kind == DnsResponse::Kind::kFailure) return Next(search);
  const DnsFinding& finding = search->heard.finding;
  cache_.Keep(now, search->question, finding, MakeCachedAnswer(search->question, finding, UnixNow()));
  End(search, search->heard.finding);
  on_kept_();
}

// Gives all waiting callers the stale finding, if there is one; the search continues.
void Resolver::GiveStale(const std::shared_ptr<Search>& search) {
  const std::optional<DnsCache::Hit> hit = cache_.Find(SteadyNow(), search->question);
  if (!hit) return;
  search->gave_stale = true;
  for (const Done& done : TakeWaiting(search.get())) {
    ++counts_.stale;
    done(hit->finding);
  }
}

void Resolver::End(const std::shared_ptr<Search>& search, const DnsFinding& finding) {
  search->timer.cancel();
  under_way_.erase(search->question);
  for (const Done& done : TakeWaiting(search.get())) done(finding);
}

std::vector<Resolver::Done> Resolver::TakeWaiting(Search* search) {
  waiting_ -= search->waiting.size();
  return std::exchange(search->waiting, {});
}

nlohmann::ordered_json Resolver::ShowCache() const {
  return {{"entries", cache_.size()},   {"most_entries", config_.cache_entries},
          {"hits", counts_.hits},       {"misses", counts_.misses},
          {"stale", counts_.stale},     {"prefetches", counts_.prefetches},
          {"merged", counts_.merged},   {"failures", counts_.failures},
          {"refused", counts_.refused}, {"under_way", under_way_.size()}};
}

nlohmann::ordered_json Resolver::ShowUpstreams() const {
  return upstreams_.Show(SteadyNow());
}

}  // namespace qure
