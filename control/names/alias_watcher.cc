#include "control/names/alias_watcher.h"

#include <algorithm>
#include <utility>

#include "control/base/log.h"
#include "control/base/text.h"
#include "control/names/clock.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"
#include "proto/dns/rdata.h"

namespace qure {
namespace {

bool Failed(const DnsFinding& finding) {
  return finding.rcode == kDnsServFail || finding.stale;
}

void AddAddresses(const DnsFinding& finding, LiveAddresses* out) {
  const size_t before = out->addresses.size();
  for (const DnsRecord& record : finding.records) {
    if (record.type != kDnsTypeA && record.type != kDnsTypeAaaa) continue;
    if (const auto address = DnsAddressOf(record.rdata)) out->addresses.push_back(*address);
  }
  if (out->addresses.size() > before)
    out->ttl = std::min(out->ttl, finding.ttl);  // else this family has no addresses, and its TTL does not matter
}

}  // namespace

void AliasTarget::OnFound(MonoTime now, const DnsFinding& v4, const DnsFinding& v6, bool looped) {
  loop_ = looped;
  failed_ = looped || Failed(v4) || Failed(v6);
  if (failed_) {
    next_ = now + pause_;
    pause_ = std::min(pause_ * 2, kMostRetry);
    return;
  }
  pause_ = kLeastPause;
  good_ = {.known = true};
  AddAddresses(v4, &good_);
  AddAddresses(v6, &good_);
  if (good_.addresses.empty()) good_.ttl = std::min(v4.ttl, v6.ttl);
  std::ranges::sort(good_.addresses);
  const Duration keep = std::clamp(Seconds(good_.ttl), kLeastPause, kMostPause);
  good_until_ = now + keep;
  next_ = good_until_;
}

LiveAddresses AliasTarget::At(MonoTime now, Duration stale) const {
  if (loop_ || !good_.known || now >= good_until_ + stale) return {};
  return good_;
}

std::string_view AliasTarget::state(MonoTime now, Duration stale) const {
  if (loop_) return "loop";
  if (!failed_) return good_.known ? "good" : "unknown";
  return At(now, stale).known ? "stale" : "failed";
}

MonoTime AliasTarget::changes_at(MonoTime now, Duration stale) const {
  return At(now, stale).known ? good_until_ + stale : kNever;
}

struct AliasWatcher::Watched {
  Watched(asio::io_context& io, std::string the_name) : name(std::move(the_name)), timer(io) {}

  const std::string name;
  AliasTarget target;
  DnsFinding v4;
  DnsFinding v6;
  int open = 0;  // queries without an answer yet
  bool forgotten = false;
  LiveAddresses reported;
  asio::steady_timer timer;
};

AliasWatcher::AliasWatcher(asio::io_context& io, Resolver* resolver, std::function<bool(std::string_view name)> is_ours,
                           std::function<void()> changed)
    : io_(io), resolver_(resolver), is_ours_(std::move(is_ours)), changed_(std::move(changed)) {}

AliasWatcher::~AliasWatcher() {
  for (const auto& [name, watched] : watched_) watched->forgotten = true;
}

void AliasWatcher::Watch(const std::set<std::string>& targets, Duration stale) {
  stale_ = stale;
  std::erase_if(watched_, [&](const auto& entry) {
    const bool gone = !targets.contains(entry.first);
    if (gone) {
      entry.second->forgotten = true;
      entry.second->timer.cancel();
    }
    return gone;
  });
  for (const std::string& name : targets) {
    const auto [entry, fresh] = watched_.try_emplace(name, nullptr);
    if (!fresh) continue;
    entry->second = std::make_shared<Watched>(io_, name);
    Query(entry->second);
  }
}

void AliasWatcher::Query(const std::shared_ptr<Watched>& watched) {
  watched->open = 2;
  for (const uint16_t type : {kDnsTypeA, kDnsTypeAaaa}) {
    resolver_->Resolve({.name = watched->name, .type = type}, [this, watched, type](const DnsFinding& finding) {
      (type == kDnsTypeA ? watched->v4 : watched->v6) = finding;
      if (--watched->open == 0 && !watched->forgotten) OnFound(watched);
    });
  }
}

void AliasWatcher::OnFound(const std::shared_ptr<Watched>& watched) {
  bool looped = is_ours_(watched->name);
  for (const DnsFinding* finding : {&watched->v4, &watched->v6}) {
    for (const DnsRecord& record : finding->records) {
      looped |= record.type == kDnsTypeCname && is_ours_(DnsToLower(record.rdata));
    }
  }
  const MonoTime now = SteadyNow();
  const std::string before(watched->target.state(now, stale_));
  watched->target.OnFound(now, watched->v4, watched->v6, looped);
  const std::string_view state = watched->target.state(now, stale_);
  if (state != before) {
    LogLine(state == "good" ? LogLevel::kInfo : LogLevel::kWarning, "alias to ", DnsNameToText(watched->name), ": ",
            state);
  }
  Arm(watched);
}

// Reports a change, and waits for the next one.
void AliasWatcher::Arm(const std::shared_ptr<Watched>& watched) {
  const MonoTime now = SteadyNow();
  const LiveAddresses addresses = watched->target.At(now, stale_);
  const MonoTime next = std::min(watched->target.next(), watched->target.changes_at(now, stale_));
  watched->timer.expires_at(ToSteady(next));
  watched->timer.async_wait([this, watched](asio::error_code error) {
    if (error || watched->forgotten) return;
    if (SteadyNow() >= watched->target.next()) return Query(watched);
    Arm(watched);
  });
  if (std::exchange(watched->reported, addresses) != addresses) changed_();
}

std::map<std::string, LiveAddresses> AliasWatcher::Addresses() const {
  std::map<std::string, LiveAddresses> addresses;
  for (const auto& [name, watched] : watched_) addresses.emplace(name, watched->reported);
  return addresses;
}

nlohmann::ordered_json AliasWatcher::Show() const {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  const MonoTime now = SteadyNow();
  for (const auto& [name, watched] : watched_) {
    nlohmann::ordered_json addresses = nlohmann::ordered_json::array();
    for (const IpAddress& address : watched->reported.addresses) addresses.push_back(ToString(address));
    rows.push_back({{"target", DnsNameToText(name)},
                    {"state", std::string(watched->target.state(now, stale_))},
                    {"addresses", addresses}});
  }
  return rows;
}

}  // namespace qure
