#include "control/names/mdns_responder.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "proto/dns/message.h"
#include "proto/dns/name.h"

namespace qure {
namespace {

using Sending = MdnsResponder::Sending;

const IpAddress kOwn = *ParseIp("192.0.2.1");
const Endpoint kPeer = {*ParseIp("192.0.2.7"), kMdnsPort};
const Endpoint kLegacy = {*ParseIp("192.0.2.8"), 40000};

std::string Wire(std::string_view text) {
  return *DnsNameToWire(text);
}

const std::string kSrvData = std::string("\0\0\0\0\0\x50", 6) + Wire("home.local");
const MdnsRecord kHost = {Wire("home.local"), kDnsTypeA, "\xc0\2\1\1", 120, true};
const MdnsRecord kSrv = {Wire("web._http._tcp.local"), kDnsTypeSrv, kSrvData, 120, true};
const MdnsRecord kTxt = {Wire("web._http._tcp.local"), kDnsTypeTxt, std::string(1, '\0'), 4500, true};
const MdnsRecord kPointer = {Wire("_http._tcp.local"), kDnsTypePtr, Wire("web._http._tcp.local"), 4500, false};

std::vector<MdnsEntry> Entries(bool lasting) {
  return {{kHost, lasting}, {kSrv, lasting}, {kTxt, lasting}, {kPointer, lasting}};
}

MdnsRecord With(MdnsRecord record, std::string rdata) {
  record.rdata = std::move(rdata);
  return record;
}

MdnsMessage Ask(const std::string& name, uint16_t type) {
  MdnsMessage query;
  query.questions = {{.name = name, .type = type}};
  return query;
}

bool Has(const std::vector<MdnsRecord>& records, const MdnsRecord& record) {
  return std::ranges::find(records, record) != records.end();
}

class MdnsResponderTest : public testing::Test {
 protected:
  MdnsResponderTest() { responder_.SetOwn({kOwn}); }

  // The messages sent within `span`, with their times.
  std::vector<std::pair<MonoTime, MdnsMessage>> Run(Duration span) {
    std::vector<std::pair<MonoTime, MdnsMessage>> sent;
    const MonoTime end = now_ + span;
    for (;;) {
      responder_.OnTime(now_);
      for (const Sending& sending : responder_.TakeSendings()) {
        last_to_ = sending.to;
        EXPECT_LE(sending.message.size(), kMdnsPayload);
        const auto message = ParseMdns(sending.message);
        EXPECT_TRUE(message);
        if (message) sent.emplace_back(now_, *message);
      }
      const MonoTime next = responder_.NextDeadline();
      EXPECT_GT(next, now_);
      if (next > end) break;
      now_ = next;
    }
    now_ = end;
    return sent;
  }
  void Hear(const MdnsMessage& message, const Endpoint& from = kPeer) {
    responder_.OnMessage(WriteMdns(message), from, now_);
  }
  void Settle(bool lasting = false) {
    responder_.Publish(Entries(lasting), false, now_);
    Run(Seconds(10));
    ASSERT_TRUE(responder_.settled());
  }
  MdnsMessage Response(const MdnsRecord& record) {
    MdnsMessage response;
    response.flags = kDnsFlagResponse | kDnsFlagAuthoritative;
    response.answers = {record};
    return response;
  }

  MdnsResponder responder_{1};
  MonoTime now_{Seconds(1000).ns};
  std::optional<Endpoint> last_to_;
};

void AppendTwo(size_t value, std::vector<uint8_t>* out) {
  out->push_back(static_cast<uint8_t>(value >> 8));
  out->push_back(static_cast<uint8_t>(value));
}

// A record TXT with a chain of `pointers` pointers in it, each to the one before, and `names` names that lead to the
// last of them.
std::vector<uint8_t> Chain(size_t pointers, size_t names) {
  std::vector<uint8_t> bytes;
  for (const size_t value : {size_t{0}, size_t{0x8400}, size_t{0}, 1 + names, size_t{0}, size_t{0}}) {
    AppendTwo(value, &bytes);
  }
  const auto append_record = [&](uint16_t type, size_t length) {
    for (const size_t value : {size_t{type}, size_t{1}, size_t{0}, size_t{120}, length}) AppendTwo(value, &bytes);
  };
  bytes.push_back(0);
  append_record(kDnsTypeTxt, 1 + 2 * pointers);
  size_t last = bytes.size();
  bytes.push_back(0);  // the name at the end of all of them: the root
  for (size_t i = 0; i < pointers; ++i) {
    const size_t here = bytes.size();
    AppendTwo(0xc000 | last, &bytes);
    last = here;
  }
  for (size_t i = 0; i < names; ++i) {
    AppendTwo(0xc000 | last, &bytes);
    append_record(kDnsTypeTxt, 0);
  }
  return bytes;
}

// 430 such messages a second took a whole core: 3 million steps each.
TEST(FieldE16, PointersAreFollowedSoOftenInAMessageAndNoMore) {
  EXPECT_TRUE(ParseMdns(Chain(1000, 4)));  // 1001 jumps each
  EXPECT_FALSE(ParseMdns(Chain(1000, 5)));
  EXPECT_FALSE(ParseMdns(Chain(4000, 80)));
  // The records that fill the longest message, their names compressed.
  MdnsMessage full = {.flags = 0x8400};
  for (int i = 0; WriteMdns(full).size() < 8900; ++i) {
    full.answers.push_back(
        {Wire("_http._tcp.local"), kDnsTypePtr, Wire("h" + std::to_string(i) + "._http._tcp.local")});
  }
  EXPECT_TRUE(ParseMdns(WriteMdns(full)));
}

TEST_F(MdnsResponderTest, ProbesThreeTimesAndAnnouncesTwice) {
  responder_.Publish(Entries(false), false, now_);
  const auto sent = Run(Seconds(10));
  ASSERT_EQ(sent.size(), 5u);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(sent[i].second.flags, 0);
    ASSERT_EQ(sent[i].second.questions.size(), 2u);
    EXPECT_TRUE(sent[i].second.questions[0].unicast);
    EXPECT_EQ(sent[i].second.questions[0].type, kDnsTypeAny);
    EXPECT_EQ(sent[i].second.authority.size(), 3u);  // without the shared pointer
    EXPECT_EQ(sent[i + 1].first - sent[i].first, Milliseconds(250));
  }
  for (int i = 3; i < 5; ++i) {
    for (const MdnsRecord& record : {kHost, kSrv, kTxt, kPointer}) EXPECT_TRUE(Has(sent[i].second.answers, record));
  }
  EXPECT_EQ(sent[4].first - sent[3].first, Seconds(1));
}

// RFC 6762 §6.6: hosts that receive another host's goodbye would drop this host's record.
TEST_F(MdnsResponderTest, AnnouncesAgainAfterAGoodbyeOfAnotherHost) {
  Settle();
  MdnsRecord goodbye = kPointer;
  goodbye.ttl = 0;
  Hear(Response(goodbye));
  auto sent = Run(Seconds(5));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(Has(sent[0].second.answers, kPointer));
  goodbye.ttl = kPointer.ttl / 2;
  Hear(Response(goodbye));
  EXPECT_TRUE(Run(Seconds(5)).empty());
}

TEST_F(MdnsResponderTest, ARepeatedQuestionCountsOnce) {
  Settle();
  MdnsMessage query;
  query.questions.assign(100, {.name = kHost.name, .type = kDnsTypeA});
  query.questions.push_back({.name = kTxt.name, .type = kDnsTypeTxt});  // after the last one that is read
  Hear(query);
  const auto sent = Run(Seconds(5));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(Has(sent[0].second.answers, kHost));
  EXPECT_FALSE(Has(sent[0].second.answers, kTxt));
}

TEST_F(MdnsResponderTest, AddsTheRecordsOfTheNextQuery) {
  Settle();
  Hear(Ask(Wire("_http._tcp.local"), kDnsTypePtr));
  const MonoTime asked = now_;
  const auto sent = Run(Seconds(1));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_FALSE(last_to_);
  EXPECT_GE(sent[0].first, asked + Milliseconds(20));
  EXPECT_LE(sent[0].first, asked + Milliseconds(120));
  EXPECT_EQ(sent[0].second.answers, std::vector{kPointer});
  for (const MdnsRecord& record : {kHost, kSrv, kTxt}) EXPECT_TRUE(Has(sent[0].second.additional, record));
}

TEST_F(MdnsResponderTest, AnswersForUniqueNamesAtOnceInAnyCase) {
  Settle();
  Hear(Ask(std::string("\4HOME\5LOCAL\0", 12), kDnsTypeA));
  const MonoTime asked = now_;
  const auto sent = Run(Seconds(1));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].first, asked);
  EXPECT_EQ(sent[0].second.answers, std::vector{kHost});
}

TEST_F(MdnsResponderTest, AnswersWithTheTypesOfAUniqueName) {
  Settle();
  Hear(Ask(Wire("home.local"), kDnsTypeAaaa));
  const auto sent = Run(Seconds(1));
  ASSERT_EQ(sent.size(), 1u);
  ASSERT_EQ(sent[0].second.answers.size(), 1u);
  EXPECT_EQ(sent[0].second.answers[0].type, kDnsTypeNsec);
  EXPECT_EQ(sent[0].second.answers[0].rdata, Wire("home.local") + std::string("\0\1\x40", 3));  // type 1 only
}

TEST_F(MdnsResponderTest, IgnoresNamesOfOtherHosts) {
  Settle();
  Hear(Ask(Wire("other.local"), kDnsTypeAny));
  EXPECT_TRUE(Run(Seconds(2)).empty());
}

TEST_F(MdnsResponderTest, KnownAnswersAreNotRepeated) {
  Settle();
  MdnsMessage query = Ask(Wire("_http._tcp.local"), kDnsTypePtr);
  query.answers = {kPointer};
  query.answers[0].ttl = 2250;
  Hear(query);
  EXPECT_TRUE(Run(Seconds(1)).empty());
  query.answers[0].ttl = 2249;  // less than half
  Hear(query);
  EXPECT_EQ(Run(Seconds(1)).size(), 1u);
}

TEST_F(MdnsResponderTest, WaitsForMoreKnownAnswersOfATruncatedQuery) {
  Settle();
  MdnsMessage query = Ask(Wire("_http._tcp.local"), kDnsTypePtr);
  query.flags = kDnsFlagTruncated;
  Hear(query);
  EXPECT_TRUE(Run(Milliseconds(300)).empty());
  MdnsMessage more;
  more.answers = {kPointer};
  Hear(more);
  EXPECT_TRUE(Run(Seconds(2)).empty());
  Hear(query);
  Hear(more, {*ParseIp("192.0.2.99"), kMdnsPort});  // from another host
  EXPECT_EQ(Run(Seconds(2)).size(), 1u);
}

TEST_F(MdnsResponderTest, AnAnswerOfAPeerIsNotRepeated) {
  Settle();
  Hear(Ask(Wire("_http._tcp.local"), kDnsTypePtr));
  Hear(Response(kPointer));
  EXPECT_TRUE(Run(Seconds(2)).empty());
}

TEST_F(MdnsResponderTest, ARecordIsMulticastOnceASecond) {
  Settle();
  int answers = 0;
  for (int i = 0; i < 100; ++i) {
    Hear(Ask(Wire("home.local"), kDnsTypeA));
    answers += static_cast<int>(Run(Milliseconds(50)).size());
  }
  EXPECT_GE(answers, 4);
  EXPECT_LE(answers, 6);  // in five seconds
}

TEST_F(MdnsResponderTest, UnicastOnlyWhatIsFresh) {
  Settle();
  MdnsMessage query = Ask(Wire("home.local"), kDnsTypeA);
  query.questions[0].unicast = true;
  Hear(query);
  EXPECT_EQ(Run(Seconds(1)).size(), 1u);
  EXPECT_EQ(last_to_, kPeer);
  Run(Seconds(31));  // more than a quarter of 120 s since it was multicast
  Hear(query);
  EXPECT_EQ(Run(Seconds(1)).size(), 1u);
  EXPECT_FALSE(last_to_);
}

TEST_F(MdnsResponderTest, SimpleResolversGetPlainDns) {
  Settle();
  MdnsMessage query = Ask(Wire("home.local"), kDnsTypeA);
  query.id = 4711;
  Hear(query, kLegacy);
  const auto sent = Run(Seconds(1));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(last_to_, kLegacy);
  EXPECT_EQ(sent[0].second.id, 4711);
  EXPECT_EQ(sent[0].second.questions, query.questions);
  ASSERT_EQ(sent[0].second.answers.size(), 1u);
  EXPECT_EQ(sent[0].second.answers[0].ttl, 10u);
  EXPECT_FALSE(sent[0].second.answers[0].unique);
}

TEST_F(MdnsResponderTest, SendsAGoodbyeUnlessAPeerContinues) {
  Settle(/*lasting=*/true);
  responder_.Publish({{kHost, true}, {kSrv, true}, {kTxt, true}}, /*peers_go_on=*/false, now_);
  auto sent = Run(Seconds(3));
  ASSERT_EQ(sent.size(), 1u);
  ASSERT_EQ(sent[0].second.answers.size(), 1u);
  EXPECT_EQ(sent[0].second.answers[0].rdata, kPointer.rdata);
  EXPECT_EQ(sent[0].second.answers[0].ttl, 0u);
  responder_.Publish({}, /*peers_go_on=*/true, now_);
  EXPECT_TRUE(Run(Seconds(3)).empty());
}

TEST_F(MdnsResponderTest, ANameOfAnotherHostIsLost) {
  responder_.Publish({{kHost, false}}, false, now_);
  const MdnsRecord theirs = With(kHost, "\xc0\2\1\7");
  for (int i = 0; i < 20; ++i) {
    for (const auto& [at, message] : Run(Milliseconds(100))) {
      if (message.flags == 0) Hear(Response(theirs));  // the holder defends it
    }
  }
  EXPECT_FALSE(responder_.settled());
  EXPECT_EQ(responder_.TakeLost(), std::set{Wire("home.local")});
}

TEST_F(MdnsResponderTest, AConflictThatIsNotRepeatedIsIgnored) {
  Settle();
  Hear(Response(With(kHost, "\xc0\2\1\7")));
  EXPECT_FALSE(responder_.settled());
  Run(Seconds(5));
  EXPECT_TRUE(responder_.settled());
  EXPECT_TRUE(responder_.TakeLost().empty());
}

TEST_F(MdnsResponderTest, EchoesAreNoConflict) {
  Settle();
  Hear(Response(kHost));
  EXPECT_TRUE(responder_.settled());
  Hear(Response(With(kHost, "\xc0\2\1\7")), {kOwn, kMdnsPort});
  EXPECT_TRUE(responder_.settled());
  const MdnsRecord next = With(kHost, "\xc0\2\1\2");
  responder_.Publish({{next, false}}, false, now_);
  Run(Seconds(2));
  Hear(Response(kHost));  // an earlier record of this host
  EXPECT_TRUE(responder_.settled());
}

TEST_F(MdnsResponderTest, TheGreaterOfTwoProbesWins) {
  for (const bool greater : {true, false}) {
    MdnsResponder fresh(2);
    responder_ = fresh;
    responder_.Publish({{kHost, false}}, false, now_);
    Run(Milliseconds(300));
    MdnsMessage rival = Ask(Wire("home.local"), kDnsTypeAny);
    rival.authority = {With(kHost, greater ? "\xc0\2\1\xff" : std::string("\xc0\2\1\0", 4))};
    rival.authority[0].unique = false;
    Hear(rival);
    const auto sent = Run(Milliseconds(900));
    EXPECT_EQ(responder_.settled(), !greater);
    EXPECT_EQ(sent.empty(), greater);  // it waits for a second
    Run(Seconds(3));
    EXPECT_TRUE(responder_.settled());  // no host has answered
  }
}

TEST_F(MdnsResponderTest, DefendsItsNamesAgainstProbes) {
  Settle();
  MdnsMessage rival = Ask(Wire("home.local"), kDnsTypeAny);
  rival.authority = {With(kHost, "\xc0\2\1\xff")};
  Hear(rival);
  const auto sent = Run(Milliseconds(250));
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(Has(sent[0].second.answers, kHost));
  EXPECT_TRUE(responder_.settled());
}

TEST(MdnsMessageTest, NamesAreCompressedAndReadAgain) {
  MdnsMessage message;
  message.answers = {kHost, kSrv, kTxt, kPointer};
  const std::vector<uint8_t> bytes = WriteMdns(message);
  EXPECT_LT(bytes.size(), 150u);
  const auto read = ParseMdns(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->answers, message.answers);
  for (size_t length = 0; length < bytes.size(); ++length) EXPECT_FALSE(ParseMdns(ConstBytes(bytes).first(length)));
}

TEST(MdnsMessageTest, PointersThatDoNotLeadBackAreRefused) {
  const std::vector<uint8_t> loop = {0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1};
  EXPECT_FALSE(ParseMdns(loop));
}

}  // namespace
}  // namespace qure
