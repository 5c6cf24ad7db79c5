#include "control/names/resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/ip/udp.hpp>

#include "control/names/address.h"
#include "control/names/alias_watcher.h"
#include "control/names/cached_answer.h"
#include "control/names/clock.h"
#include "proto/dns/answer.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"
#include "tests/support/dns_reader.h"

namespace qure::test {
namespace {

using asio::ip::udp;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Wire(std::string_view name) {
  return DnsNameToWire(name).value();
}

constexpr MonoTime kStart{Seconds(1000).ns};
const DnsQuestion kQuestion = {.name = DnsNameToWire("www.up.test").value(), .type = kDnsTypeA};
const DnsQuestion kOther = {.name = kQuestion.name, .type = kDnsTypeTxt};

std::string Append(std::string text, std::initializer_list<int> bytes) {
  for (const int byte : bytes) text.push_back(static_cast<char>(byte));
  return text;
}

std::string Record(std::string_view owner, uint16_t type, uint32_t ttl, const std::string& rdata) {
  std::string text = Wire(owner);
  const auto size = static_cast<int>(rdata.size());
  text = Append(text, {type >> 8, type & 0xff, 0, 1, 0, 0, static_cast<int>(ttl >> 8), static_cast<int>(ttl & 0xff),
                       size >> 8, size & 0xff});
  return text + rdata;
}

// The query message, changed to an answer with these sections.
std::vector<uint8_t> Response(std::vector<uint8_t> message, int flags, std::initializer_list<std::string> answers,
                              std::initializer_list<std::string> authorities = {}) {
  message.resize(sizeof(DnsHeader) + kQuestion.name.size() + 4);
  message[2] = static_cast<uint8_t>(flags >> 8);
  message[3] = static_cast<uint8_t>(flags & 0xff);
  message[7] = static_cast<uint8_t>(answers.size());
  message[9] = static_cast<uint8_t>(authorities.size());
  message[11] = 0;
  for (const auto& section : {answers, authorities}) {
    for (const std::string& record : section) message.insert(message.end(), record.begin(), record.end());
  }
  return message;
}

const std::string kAddress = Append({}, {203, 0, 113, 7});
const std::string kSoa = Record("up.test", kDnsTypeSoa, 600,
                                Wire("up.test") + Wire("up.test") + std::string(18, '\0') + Append({}, {0, 60}));

DnsResponse Read(const std::vector<uint8_t>& message, uint16_t id = 7) {
  return ReadDnsResponse(message, id, kQuestion);
}

using Kind = DnsResponse::Kind;

TEST(DnsResponse, TakesOnlyRecordsOfTheQuestion) {
  const auto asked = WriteDnsQuestion(kQuestion, 7);
  const DnsResponse response =
      Read(Response(asked, 0x8180,
                    {Record("WWW.up.test", kDnsTypeCname, 300, Wire("a.up.test")),
                     Record("a.up.test", kDnsTypeA, 30, kAddress), Record("bank.test", kDnsTypeA, 30, kAddress)}));
  ASSERT_EQ(response.kind, Kind::kFinding);
  ASSERT_EQ(response.finding.records.size(), 2u);  // without the record of bank.test
  EXPECT_EQ(response.finding.records[1].rdata, kAddress);
  EXPECT_EQ(response.finding.ttl, 30u);
  EXPECT_FALSE(response.finding.soa);
}

TEST(DnsResponse, NegativeAnswersAreKeptByTheSoa) {
  const auto asked = WriteDnsQuestion(kQuestion, 7);
  DnsResponse response = Read(Response(asked, 0x8183, {}, {kSoa}));
  ASSERT_EQ(response.kind, Kind::kFinding);
  EXPECT_EQ(response.finding.rcode, kDnsNxDomain);
  EXPECT_EQ(response.finding.ttl, 60u);
  response = Read(Response(asked, 0x8180, {}));
  EXPECT_EQ(response.finding.ttl, 0u);  // without an SOA: not at all (RFC 2308 §5)
}

TEST(DnsResponse, OnlyTheZoneOfTheNameCanDenyIt) {
  const auto asked = WriteDnsQuestion(kQuestion, 7);
  const std::string foreign = Record("bank.test", kDnsTypeSoa, 600,
                                     Wire("up.test") + Wire("up.test") + std::string(18, '\0') + Append({}, {0, 60}));
  DnsResponse response = Read(Response(asked, 0x8183, {}, {foreign}));
  ASSERT_EQ(response.kind, Kind::kFinding);
  EXPECT_FALSE(response.finding.soa);
  EXPECT_EQ(response.finding.ttl, 0u);
  response = Read(Response(asked, 0x8183, {Record("www.up.test", kDnsTypeCname, 300, Wire("x.bank.test"))}, {foreign}));
  ASSERT_TRUE(response.finding.soa);  // of the zone of the alias target
  EXPECT_EQ(response.finding.ttl, 60u);
}

TEST(DnsResponse, AliasesWithoutAnEndAreAFailure) {
  const auto asked = WriteDnsQuestion(kQuestion, 7);
  EXPECT_EQ(Read(Response(asked, 0x8180, {Record("www.up.test", kDnsTypeCname, 300, Wire("www.up.test"))})).kind,
            Kind::kFailure);
  EXPECT_EQ(Read(Response(asked, 0x8180,
                          {Record("www.up.test", kDnsTypeCname, 300, Wire("a.up.test")),
                           Record("a.up.test", kDnsTypeCname, 300, Wire("www.up.test"))}))
                .kind,
            Kind::kFailure);
}

TEST(DnsResponse, RecordsWithoutRdataAreLeftOut) {
  const auto asked = WriteDnsQuestion(kQuestion, 7);
  for (const uint16_t type : {kDnsTypeCname, kDnsTypeA}) {
    const DnsResponse response =
        Read(Response(asked, 0x8180, {Record("www.up.test", type, 30, "")}, {Record("up.test", kDnsTypeSoa, 30, "")}));
    EXPECT_TRUE(response.finding.records.empty());
    EXPECT_FALSE(response.finding.soa);
    EXPECT_EQ(response.finding.ttl, 0u);
  }
}

TEST(DnsResponse, ATtlBeyond31BitsCountsAsNone) {
  const auto asked = WriteDnsQuestion(kQuestion, 7);
  std::string record = Record("www.up.test", kDnsTypeA, 30, kAddress);
  record[Wire("www.up.test").size() + 4] = '\x80';
  const DnsResponse response = Read(Response(asked, 0x8180, {record}));
  ASSERT_EQ(response.finding.records.size(), 1u);
  EXPECT_EQ(response.finding.ttl, 0u);
}

TEST(DnsResponse, IgnoresMessagesThatAreNoAnswer) {
  const auto asked = WriteDnsQuestion(kQuestion, 7);
  const auto good = Response(asked, 0x8180, {Record("www.up.test", kDnsTypeA, 30, kAddress)});
  EXPECT_EQ(Read(good).kind, Kind::kFinding);
  EXPECT_EQ(Read(good, 8).kind, Kind::kForeign);
  auto changed = good;
  changed[2] = 0x01;  // a query
  EXPECT_EQ(Read(changed).kind, Kind::kForeign);
  changed = good;
  changed[13] = 'v';  // another name
  EXPECT_EQ(Read(changed).kind, Kind::kForeign);
  changed = good;
  changed.resize(good.size() - 1);
  EXPECT_EQ(Read(changed).kind, Kind::kForeign);
  EXPECT_EQ(Read(Response(asked, 0x8380, {})).kind, Kind::kTruncated);
  EXPECT_EQ(Read(Response(asked, 0x8182, {})).kind, Kind::kFailure);
  EXPECT_EQ(Read(Response(asked, 0x8185, {})).kind, Kind::kFailure);
}

DnsFinding Found(uint32_t ttl) {
  return {.rcode = kDnsNoError,
          .records = {{.name = kQuestion.name, .type = kDnsTypeA, .ttl = ttl, .rdata = kAddress}},
          .soa = std::nullopt,
          .ttl = ttl};
}

const auto kReady = std::make_shared<const DnsCachedAnswer>();

TEST(DnsCache, CountsDownThenGivesAStaleFindingThenNothing) {
  DnsCache cache;
  cache.Configure(10, Seconds(100));
  cache.Keep(kStart, kQuestion, Found(50), kReady);
  auto hit = cache.Find(kStart + Seconds(20), kQuestion);
  ASSERT_TRUE(hit);
  EXPECT_TRUE(hit->fresh);
  EXPECT_FALSE(hit->fetch);
  EXPECT_EQ(hit->finding.records[0].ttl, 30u);
  EXPECT_TRUE(cache.Find(kStart + Seconds(46), kQuestion)->fetch);
  hit = cache.Find(kStart + Seconds(50), kQuestion);
  ASSERT_TRUE(hit);
  EXPECT_FALSE(hit->fresh);
  EXPECT_TRUE(hit->finding.stale);
  EXPECT_EQ(hit->finding.ttl, DnsCache::kStaleTtl);
  EXPECT_FALSE(cache.Find(kStart + Seconds(150), kQuestion));
  EXPECT_EQ(cache.size(), 0u);
}

TEST(DnsCache, DropsTheLeastRecentlyUsed) {
  DnsCache cache;
  cache.Configure(2, Seconds(100));
  const auto question = [](uint16_t type) { return DnsQuestion{.name = kQuestion.name, .type = type}; };
  cache.Keep(kStart, question(1), Found(50), kReady);
  cache.Keep(kStart, question(2), Found(50), kReady);
  EXPECT_TRUE(cache.Find(kStart, question(1)));
  cache.Keep(kStart, question(3), Found(50), kReady);
  EXPECT_TRUE(cache.Find(kStart, question(1)));
  EXPECT_FALSE(cache.Find(kStart, question(2)));
  cache.Keep(kStart, question(4), Found(0), kReady);
  EXPECT_FALSE(cache.Find(kStart, question(4)));
}

TEST(DnsCache, KeepsNoLongAnswer) {
  DnsCache cache;
  cache.Configure(10, Seconds(100));
  DnsCachedAnswer answer;
  answer.bytes.resize(DnsCache::kMostBytes + 1);
  cache.Keep(kStart, kQuestion, Found(50), std::make_shared<const DnsCachedAnswer>(answer));
  EXPECT_EQ(cache.size(), 0u);
}

TEST(DnsCache, RemembersThatNoServerAnswered) {
  DnsCache cache;
  cache.Configure(10, Seconds(100));
  cache.Keep(kStart, kQuestion, Found(50), kReady);
  const MonoTime later = kStart + Seconds(60);
  EXPECT_EQ(cache.Find(later, kQuestion)->retry_at, kLongAgo);
  cache.OnFailure(later, kQuestion);
  EXPECT_EQ(cache.Find(later, kQuestion)->retry_at, later + DnsCache::kRecheck);
  cache.Keep(later, kQuestion, Found(50), kReady);
  EXPECT_EQ(cache.Find(later, kQuestion)->retry_at, kLongAgo);
}

TEST(DnsCacheTable, FindsInAnyCaseWhileItIsGood) {
  std::vector<std::shared_ptr<const DnsCachedAnswer>> answers;
  for (int i = 0; i < 1000; ++i) {
    const DnsQuestion question = {.name = Wire("h" + std::to_string(i) + ".up.test"), .type = kDnsTypeA};
    answers.push_back(MakeCachedAnswer(question, Found(100), 5000));
  }
  const DnsCacheTable table(answers, 17);
  const DnsNameBuffer name(std::string_view(Append({}, {3, 'H', '7', '7', 2, 'u', 'P', 4, 't', 'e', 's', 't', 0})));
  ASSERT_EQ(table.Find(name.view(), kDnsTypeA, 5000), answers[77].get());
  EXPECT_EQ(table.Find(name.view(), kDnsTypeA, 5089), answers[77].get());
  EXPECT_EQ(table.Find(name.view(), kDnsTypeA, 5090), nullptr);  // the last tenth is for fetching it again
  EXPECT_EQ(table.Find(name.view(), kDnsTypeAaaa, 5000), nullptr);
  EXPECT_EQ(DnsCacheTable().Find(name.view(), kDnsTypeA, 5000), nullptr);
}

TEST(Forwarding, ClientsGetWhatIsCachedOthersAreRefused) {
  DnsFinding finding = Found(100);
  finding.records.insert(finding.records.begin(),
                         {.name = kQuestion.name, .type = kDnsTypeCname, .ttl = 200, .rdata = Wire("a.up.test")});
  finding.records[1].name = Wire("a.up.test");
  auto forwarding = std::make_shared<DnsForwarding>();
  forwarding->cache = DnsCacheTable({MakeCachedAnswer(kQuestion, finding, 5000)}, 3);
  DnsAuthority authority;
  authority.forwarding = forwarding;
  authority.recursion = LanHosts({*ParsePrefix("192.0.2.0/24")});
  const auto ask = [&](std::string_view client, uint16_t type, std::vector<uint8_t>* message) {
    *message = WriteDnsQuestion({.name = kQuestion.name, .type = type}, 9);
    const auto length = static_cast<uint16_t>(message->size());
    message->resize(1500);
    const DnsReply reply =
        AnswerDns(authority, {.address = *ParseIp(client), .time = 5040}, message->data(), length, 1500);
    message->resize(reply.length);
    return reply.reason;
  };
  std::vector<uint8_t> message;
  ASSERT_EQ(ask("192.0.2.9", kDnsTypeA, &message), Reason::dns_cached);
  const auto answer = testing::ReadDns(message);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->flags, 0x8180);
  ASSERT_EQ(answer->answers.size(), 2u);
  EXPECT_EQ(answer->answers[0].ttl, 160u);
  EXPECT_EQ(answer->answers[1].ttl, 60u);
  EXPECT_EQ(answer->answers[1].name, "a.up.test.");
  EXPECT_EQ(ask("192.0.2.9", kDnsTypeAaaa, &message), Reason::dns_forwarded);
  EXPECT_EQ(ask("192.0.3.9", kDnsTypeA, &message), Reason::dns_refused);
}

TEST(AliasTarget, KeepsTheLastGoodAddressesForAWhile) {
  AliasTarget target;
  const Duration stale = Seconds(100);
  const DnsFinding none = {.rcode = kDnsNoError, .records = {}, .soa = DnsRecord{}, .ttl = 2};
  const DnsFinding failed = {.rcode = kDnsServFail};
  EXPECT_FALSE(target.At(kStart, stale).known);
  target.OnFound(kStart, Found(20), none, false);
  EXPECT_THAT(target.At(kStart, stale).addresses, ElementsAre(*ParseIp("203.0.113.7")));
  EXPECT_EQ(target.At(kStart, stale).ttl, 20u);
  EXPECT_EQ(target.next(), kStart + Seconds(20));
  const MonoTime later = kStart + Seconds(20);
  target.OnFound(later, failed, none, false);
  EXPECT_EQ(target.next(), later + AliasTarget::kLeastPause);
  target.OnFound(later, failed, none, false);
  EXPECT_EQ(target.next(), later + AliasTarget::kLeastPause * 2);
  EXPECT_TRUE(target.At(later, stale).known);
  EXPECT_EQ(target.state(later, stale), "stale");
  EXPECT_EQ(target.changes_at(later, stale), later + stale);
  EXPECT_FALSE(target.At(later + stale, stale).known);
  EXPECT_EQ(target.state(later + stale, stale), "failed");
  DnsFinding old = Found(30);
  old.stale = true;
  target.OnFound(later + stale, old, none, false);
  EXPECT_FALSE(target.At(later + stale, stale).known);  // a stale finding of the resolver does not extend it
  target.OnFound(later + stale, Found(5), none, true);
  EXPECT_EQ(target.state(later + stale, stale), "loop");
  EXPECT_FALSE(target.At(later + stale, stale).known);
}

TEST(AliasTarget, TheAbsenceOfTheOtherFamilyDoesNotCount) {
  AliasTarget target;
  const DnsFinding none = {.rcode = kDnsNoError, .records = {}, .soa = std::nullopt, .ttl = 0};  // no SOA: not kept
  target.OnFound(kStart, Found(20), none, false);
  EXPECT_EQ(target.At(kStart, Seconds(100)).ttl, 20u);
  EXPECT_EQ(target.next(), kStart + Seconds(20));
}

// A server on loopback that sends a given answer.
class Upstream {
 public:
  Upstream(asio::io_context& io, int flags)
      : socket_(io, udp::endpoint(ToAsio(*ParseIp("127.0.0.1")), 0)), flags_(flags) {
    Receive();
  }
  Endpoint at() const { return {*ParseIp("127.0.0.1"), socket_.local_endpoint().port()}; }
  int asked() const { return asked_; }
  void Mute() { mute_ = true; }
  void Speak() { mute_ = false; }
  void SetTtl(uint32_t ttl) { ttl_ = ttl; }
  void LoseOne() { lose_ = true; }

 private:
  void Receive() {
    socket_.async_receive_from(asio::buffer(message_), from_, [this](asio::error_code error, size_t size) {
      if (error) return;
      ++asked_;
      const std::vector<uint8_t> asked(message_.begin(), message_.begin() + static_cast<ptrdiff_t>(size));
      const auto answer = flags_ == 0x8180 ? Response(asked, flags_, {Record("www.up.test", kDnsTypeA, ttl_, kAddress)})
                                           : Response(asked, flags_, {});
      const bool lost = std::exchange(lose_, false);
      if (!mute_ && !lost) socket_.send_to(asio::buffer(answer), from_);
      Receive();
    });
  }

  udp::socket socket_;
  udp::endpoint from_;
  const int flags_;
  std::array<uint8_t, 512> message_{};
  int asked_ = 0;
  uint32_t ttl_ = 300;
  bool mute_ = false;
  bool lose_ = false;
};

class ResolverTest : public ::testing::Test {
 protected:
  void Configure(std::vector<Endpoint> upstreams) {
    config_.upstreams = std::move(upstreams);
    config_.timeout = Milliseconds(100);
    resolver_.Configure(config_);
  }
  DnsFinding Resolve() {
    std::optional<DnsFinding> found;
    resolver_.Resolve(kQuestion, [&](const DnsFinding& finding) { found = finding; });
    RunUntil([&] { return found.has_value(); });
    return found.value_or(DnsFinding{.rcode = 99});
  }
  // The finding, if it comes before Resolve returns.
  std::optional<DnsFinding> ResolveAtOnce(const DnsQuestion& question = kQuestion) {
    const auto found = std::make_shared<std::optional<DnsFinding>>();
    resolver_.Resolve(question, [found](const DnsFinding& finding) { *found = finding; });
    return *found;
  }
  // Drives the resolver until `done`; an error after ten seconds.
  template <typename Condition>
  void RunUntil(const Condition& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      io_.run_one_for(std::chrono::milliseconds(50));
    }
  }
  // Puts the upstream's answer into the cache, and lets it become stale.
  void KnowWhatIsStale(Upstream* upstream) {
    upstream->SetTtl(1);
    Configure({upstream->at()});
    EXPECT_EQ(Resolve().records.size(), 1u);
    RunUntil([&] { return resolver_.cache().Fresh(SteadyNow()).empty(); });
    EXPECT_EQ(resolver_.cache().size(), 1u);
  }
  // Starts so many queries that there is no room for another. Returns how many have answers.
  std::shared_ptr<size_t> HeavyHitter(const DnsQuestion& question) {
    auto answered = std::make_shared<size_t>(0);
    for (size_t i = 0; i < Resolver::kMostWaiting; ++i) {
      resolver_.Resolve(question, [answered](const DnsFinding&) { ++*answered; });
    }
    EXPECT_EQ(*answered, 0u);
    return answered;
  }

  asio::io_context io_;
  ResolverConfig config_;
  int kept_ = 0;
  Resolver resolver_{io_, [this] { ++kept_; }};
};

TEST_F(ResolverTest, MergesQueriesForTheSameQuestion) {
  Upstream upstream(io_, 0x8180);
  Configure({upstream.at()});
  int answered = 0;
  for (int i = 0; i < 5; ++i) resolver_.Resolve(kQuestion, [&](const DnsFinding&) { ++answered; });
  EXPECT_EQ(Resolve().records.size(), 1u);
  EXPECT_EQ(answered, 5);
  EXPECT_EQ(Resolve().records.size(), 1u);
  EXPECT_EQ(upstream.asked(), 1);
  EXPECT_EQ(kept_, 1);
  EXPECT_EQ(resolver_.ShowCache().at("merged"), 5);
  EXPECT_EQ(resolver_.ShowCache().at("hits"), 1);
}

TEST_F(ResolverTest, QueriesTheNextServerAfterAFailure) {
  Upstream mute(io_, 0x8180);
  mute.Mute();
  Upstream refuses(io_, 0x8185);
  Upstream good(io_, 0x8180);
  Configure({mute.at(), refuses.at(), good.at()});
  EXPECT_EQ(Resolve().records.size(), 1u);
  EXPECT_EQ(mute.asked(), 1);
  EXPECT_EQ(refuses.asked(), 1);
  EXPECT_EQ(good.asked(), 1);
}

TEST_F(ResolverTest, ALostDatagramIsSentAgain) {
  Upstream upstream(io_, 0x8180);
  upstream.LoseOne();
  Configure({upstream.at()});
  EXPECT_EQ(Resolve().records.size(), 1u);
  EXPECT_EQ(upstream.asked(), 2);
}

TEST(Resolver, EndsWithQueriesUnderWay) {
  asio::io_context io;
  Upstream mute(io, 0x8180);
  mute.Mute();
  const auto held = std::make_shared<int>(0);
  {
    Resolver resolver(io, [] {});
    ResolverConfig config;
    config.upstreams = {mute.at()};
    resolver.Configure(config);
    resolver.Resolve(kQuestion, [held](const DnsFinding&) { ++*held; });
    EXPECT_EQ(held.use_count(), 2);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (held.use_count() > 1 && std::chrono::steady_clock::now() < deadline) {
    io.run_one_for(std::chrono::milliseconds(50));
  }
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(*held, 0);
}

TEST_F(ResolverTest, GivesServfailWhenNoServerAnswers) {
  Upstream mute(io_, 0x8180);
  mute.Mute();
  Configure({mute.at()});
  EXPECT_EQ(Resolve().rcode, kDnsServFail);
  EXPECT_EQ(kept_, 0);
  Configure({});
  EXPECT_EQ(Resolve().rcode, kDnsServFail);
}

TEST_F(ResolverTest, RefusesTooManyWaitingCallersAtOnce) {
  Upstream upstream(io_, 0x8180);
  Configure({upstream.at()});
  const auto answered = HeavyHitter(kQuestion);
  for (const DnsQuestion& question : {kQuestion, kOther}) {
    const auto refused = ResolveAtOnce(question);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->rcode, kDnsServFail);
  }
  EXPECT_EQ(resolver_.ShowCache().at("refused"), 2);
  RunUntil([&] { return *answered == Resolver::kMostWaiting; });
  EXPECT_EQ(upstream.asked(), 1);
  EXPECT_FALSE(ResolveAtOnce(kOther));  // there is room again: the server is queried
  RunUntil([&] { return upstream.asked() == 2; });
  EXPECT_EQ(resolver_.ShowCache().at("refused"), 2);
}

TEST_F(ResolverTest, WithTooManyWaitingCallersGivesAStaleFindingAtOnce) {
  Upstream upstream(io_, 0x8180);
  KnowWhatIsStale(&upstream);
  upstream.Mute();
  HeavyHitter(kOther);
  const auto stale = ResolveAtOnce();
  ASSERT_TRUE(stale);
  EXPECT_TRUE(stale->stale);
  EXPECT_EQ(stale->records.size(), 1u);
  EXPECT_EQ(resolver_.ShowCache().at("refused"), 0);
}

TEST_F(ResolverTest, AfterSilenceGivesAStaleFindingAtOnceForAWhile) {
  Upstream upstream(io_, 0x8180);
  KnowWhatIsStale(&upstream);
  upstream.Mute();
  const MonoTime before = SteadyNow();
  EXPECT_FALSE(ResolveAtOnce());
  EXPECT_TRUE(Resolve().stale);
  const int asked = upstream.asked();
  upstream.Speak();  // the resolver does not know this yet
  std::optional<DnsFinding> found = ResolveAtOnce();
  ASSERT_TRUE(found);
  while (found && found->stale && SteadyNow() < before + DnsCache::kRecheck * 2) {
    EXPECT_EQ(upstream.asked(), asked);
    io_.run_for(std::chrono::milliseconds(20));
    found = ResolveAtOnce();
  }
  EXPECT_FALSE(found);  // the server is queried again
  EXPECT_GE(SteadyNow(), before + DnsCache::kRecheck);
  EXPECT_FALSE(Resolve().stale);
  EXPECT_EQ(upstream.asked(), asked + 1);
}

TEST_F(ResolverTest, DoesNotWaitForASlowAnswerIfOneIsStale) {
  Upstream upstream(io_, 0x8180);
  KnowWhatIsStale(&upstream);
  upstream.Mute();
  config_.timeout = Seconds(20);
  resolver_.Configure(config_);
  const MonoTime before = SteadyNow();
  EXPECT_TRUE(Resolve().stale);
  EXPECT_GE(SteadyNow(), before + Resolver::kStalePatience);
  EXPECT_EQ(resolver_.ShowCache().at("under_way"), 1);
  EXPECT_TRUE(ResolveAtOnce());  // although the search continues
}

TEST(Upstreams, AFailingServerIsQueriedLast) {
  const Endpoint a{*ParseIp("192.0.2.1")};
  const Endpoint b{*ParseIp("192.0.2.2")};
  Upstreams upstreams;
  upstreams.Configure({a, b});
  upstreams.OnAnswer(a, Milliseconds(5));
  upstreams.OnAnswer(b, Milliseconds(2));
  EXPECT_THAT(upstreams.Order(kStart), ElementsAre(b, a));
  upstreams.OnFailure(kStart, b, "no answer");
  EXPECT_THAT(upstreams.Order(kStart), ElementsAre(b, a));  // one datagram may be lost
  upstreams.OnFailure(kStart, b, "no answer");
  upstreams.OnFailure(kStart, b, "no answer");
  EXPECT_THAT(upstreams.Order(kStart), ElementsAre(a, b));
  EXPECT_THAT(upstreams.Order(kStart + Seconds(1)), ElementsAre(b, a));
  upstreams.Configure({a});
  EXPECT_THAT(upstreams.Order(kStart), ElementsAre(a));
  upstreams.Configure({});
  EXPECT_THAT(upstreams.Order(kStart), IsEmpty());
}

}  // namespace
}  // namespace qure::test
