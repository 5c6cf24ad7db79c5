#include "control/names/name_service.h"

#include <algorithm>
#include <chrono>
#include <future>

#include <asio/post.hpp>

#include "control/base/request.h"
#include "control/base/text.h"
#include "control/names/cached_answer.h"
#include "control/names/clock.h"
#include "control/names/lookup.h"

namespace qure {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::chrono::milliseconds kPatience(200);
// The packet path's cache is rebuilt at most once in kPublish, and in at most 1/kPublishShare of the time.
constexpr Duration kPublish = Milliseconds(100);
constexpr int64_t kPublishShare = 20;
constexpr std::chrono::seconds kRemake(LiveZones::kUptimeStep);

ordered_json ShowZone(const DnsZone& zone, std::string_view from) {
  return {{"zone", DnsNameToText(zone.apex())},
          {"from", std::string(from)},
          {"serial", zone.serial()},
          {"names", zone.name_count()},
          {"records", zone.record_count()}};
}

ordered_json ShowServer(const DnsServer& server) {
  const DnsServer::Counters& counters = server.counters();
  ordered_json answers = ordered_json::object();
  for (const auto& [reason, count] : counters.answers) answers[std::string(NameOf(reason))] = count;
  ordered_json types = ordered_json::object();
  for (size_t i = 0; i < DnsQueryLog::kCounts; ++i) types[std::string(NameOfDnsCount(i))] = server.queries().count(i);
  return {{"connections", counters.connections},
          {"open", counters.open},
          {"cut_off", counters.cut_off},
          {"answers", answers},
          {"types", types}};
}

}  // namespace

NameService::NameService(uint64_t hash_seed, std::string lan_interface)
    : hash_seed_(hash_seed),
      work_(asio::make_work_guard(io_)),
      zones_(hash_seed),
      resolver_(io_, [this] { OnKept(); }),
      publish_(io_),
      aliases_(
          io_, &resolver_, [this](std::string_view name) { return zones_.IsOurs(name); }, [this] { OnAliases(); }),
      server_(io_, [this](const DnsQuestion& question, DnsServer::Give give) { Forward(question, std::move(give)); }),
      registrar_(io_,
                 [this](const std::vector<IpAddress>& addresses) {
                   zones_.OnPublic({.known = !addresses.empty(), .addresses = addresses});
                   Remake();
                 }),
      mdns_(io_, std::move(lan_interface), hash_seed),
      again_(io_),
      thread_([this] { io_.run(); }) {}

NameService::~NameService() {
  asio::post(io_, [this] {
    mdns_.Stop();
    io_.stop();
  });
  thread_.join();
}

// ----------------------------------------------------------------------------------------- for the control thread

void NameService::Configure(const ClusterConfig& config) {
  asio::post(io_, [this, config] {
    config_ = config;
    zones_.Configure(config_);
    resolver_.Configure(config_.resolver);
    Publish();
    aliases_.Watch(zones_.targets(), config_.resolver.stale);
    registrar_.Configure(config_);
    mdns_.Configure(config_);
    server_.LogEvery(config_.dns.log_every);
    Remake();
  });
}

void NameService::OnFacts(const ClusterFacts& facts) {
  asio::post(io_, [this, facts] {
    zones_.OnFacts(facts);
    registrar_.OnFacts(facts);
    mdns_.OnFacts(facts);
    Remake();
  });
}

void NameService::OnAuthority(std::shared_ptr<const DnsAuthority> authority, std::vector<IpAddress> addresses) {
  asio::post(io_, [this, authority = std::move(authority), addresses = std::move(addresses)] {
    authority_ = authority;
    server_.Serve(authority_, addresses);
  });
}

void NameService::Log(std::vector<DnsSample> samples) {
  asio::post(io_, [samples = std::move(samples)] { LogSamples(samples); });
}

void NameService::Leave() {
  asio::post(io_, [this] { registrar_.Leave([this] { reports_.Put(Left{}); }); });
}

void NameService::Ask(uint64_t ticket, json question) {
  asio::post(
      io_, [this, ticket, question = std::move(question)] { reports_.Put(TicketedAnswer(ticket, Answer(question))); });
}

NameService::News NameService::Take() {
  News news;
  for (Report& report : reports_.Take()) {
    if (auto* const names = std::get_if<Names>(&report)) news.names = std::move(*names);
    if (auto* const answer = std::get_if<TicketedAnswer>(&report)) news.answers.push_back(std::move(*answer));
    news.left |= std::holds_alternative<Left>(report);
  }
  return news;
}

// ------------------------------------------------------------------------------------------------- in the DNS thread

void NameService::Remake() {
  if (Names names = zones_.Make(UnixNow())) reports_.Put(std::move(names));
  again_.expires_after(kRemake);
  again_.async_wait([this](asio::error_code error) {
    if (!error) Remake();
  });
}

void NameService::OnAliases() {
  zones_.OnAliases(aliases_.Addresses());
  Remake();
}

void NameService::Forward(const DnsQuestion& question, DnsServer::Give give) {
  resolver_.Resolve(question, [question, give = std::move(give)](const DnsFinding& finding) {
    give(MakeCachedAnswer(question, finding, UnixNow()));
  });
}

// The cache has new findings: publishes them to the packet path soon.
void NameService::OnKept() {
  if (!config_.resolver.forward || std::exchange(publishing_, true)) return;
  publish_.expires_after(std::chrono::nanoseconds(std::max(kPublish, publishing_took_ * kPublishShare).ns));
  publish_.async_wait([this](asio::error_code error) {
    if (!error) Publish();
  });
}

void NameService::Publish() {
  const MonoTime begun = SteadyNow();
  publishing_ = false;
  std::shared_ptr<DnsForwarding> forwarding;
  if (config_.resolver.forward) {
    forwarding = std::make_shared<DnsForwarding>();
    forwarding->cache = DnsCacheTable(resolver_.cache().Fresh(SteadyNow()), hash_seed_);
  }
  publishing_took_ = SteadyNow() - begun;
  zones_.OnForwarding(std::move(forwarding));
  Remake();
}

ordered_json NameService::Show() {
  const auto shown = std::make_shared<std::promise<ordered_json>>();
  asio::post(io_, [this, shown] { shown->set_value(ShowParts()); });
  std::future<ordered_json> answer = shown->get_future();
  return answer.wait_for(kPatience) == std::future_status::ready ? answer.get() : ordered_json::object();
}

ordered_json NameService::ShowParts() const {
  return {{"server", ShowServer(server_)},          {"cache", resolver_.ShowCache()},
          {"upstreams", resolver_.ShowUpstreams()}, {"aliases", aliases_.Show()},
          {"registration", registrar_.Show()},      {"mdns", mdns_.Show()}};
}

ordered_json NameService::Answer(const json& question) const {
  const std::string what = TextIn(question, "what", "zones");
  if (what == "zones") return ShowZones();
  if (what == "lookup") return Lookup(question);
  const ordered_json parts = ShowParts();
  if (parts.contains(what)) return {{what, parts.at(what)}};
  return {{"error", Concat("there is no `dns ", what, "`; see `qurectl help`")}};
}

ordered_json NameService::ShowZones() const {
  ordered_json zones = ordered_json::array();
  const LiveNames* const live = zones_.latest().get();
  for (const ZoneConfig& zone : config_.zones) {
    const auto found = live != nullptr ? live->zones.find(zone.live) : decltype(live->zones.end())();
    const bool changing = zone.live != nullptr && live != nullptr && found != live->zones.end();
    zones.push_back(ShowZone(changing ? *found->second : *zone.zone, zone.file.empty() ? "configuration" : zone.file));
  }
  if (live != nullptr) {
    for (const auto& zone : live->own) zones.push_back(ShowZone(*zone, "cluster"));
  }
  return {{"zones", zones}};
}

ordered_json NameService::Lookup(const json& question) const {
  if (authority_ == nullptr) return {{"error", "there is no zone; configure one as docs/configuration.md shows"}};
  return LookUp(*authority_, TextIn(question, "name", ""), TextIn(question, "type", "A"), UnixNow());
}

}  // namespace qure
