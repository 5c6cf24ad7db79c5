#include "proto/dns/zone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "proto/dns/zone_builder.h"
#include "proto/dns/zones.h"
#include "tests/support/dns_reader.h"
#include "tests/unit/proto/wire.h"

namespace qure {
namespace {

using Outcome = DnsZone::Outcome;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ReadRecord;

std::string Wire(std::string_view name) {
  return DnsNameToWire(name).value();
}

std::string Soa(uint8_t minimum) {
  const Bytes rest = Hex("00000007 00000002 00000003 00000004 000000") + Bytes{minimum};
  return Wire("ns1.home.example") + Wire("hostmaster.home.example") + std::string(rest.begin(), rest.end());
}
std::string SoaText(uint8_t minimum) {
  const Bytes rest = Hex("00000007 00000002 00000003 00000004 000000") + Bytes{minimum};
  return " ns1.home.example.  hostmaster.home.example. " + std::string(rest.begin(), rest.end());
}

using Answer = testing::ZoneAnswer;
Answer Ask(const DnsZone& zone, std::string_view asked, uint16_t type) {
  const auto answer = testing::AskZone(zone, Wire(asked), type);
  EXPECT_TRUE(answer) << asked;
  return answer.value_or(Answer{});
}

DnsZoneBuilder HomeBuilder() {
  DnsZoneBuilder builder(Wire("home.example"), 0x5eed);
  const auto add = [&](const char* name, uint16_t type, uint32_t ttl, std::string rdata) {
    EXPECT_EQ(builder.Add({Wire(name), type, ttl, std::move(rdata)}), std::nullopt) << name;
  };
  add("home.example", kDnsTypeSoa, 300, Soa(60));
  add("home.example", kDnsTypeNs, 300, Wire("ns1.home.example"));
  add("ns1.home.example", kDnsTypeA, 300, "\1\1\1\1");
  add("www.home.example", kDnsTypeA, 60, "\xc6\x33\x64\x32");
  add("www.home.example", kDnsTypeA, 30, "\xc6\x33\x64\x33");
  add("www.home.example", kDnsTypeTxt, 300, "\2hi");
  add("a.b.c.home.example", kDnsTypeA, 60, "\1\2\3\4");
  add("alias.home.example", kDnsTypeCname, 60, Wire("www.home.example"));
  add("home.example", kDnsTypeMx, 60, std::string("\0\5", 2) + Wire("mail.home.example"));
  add("home.example", kDnsTypeMx, 60, std::string("\0\6", 2) + Wire("mail.elsewhere.example"));
  add("mail.home.example", kDnsTypeA, 60, "\5\5\5\5");
  add("*.apps.home.example", kDnsTypeA, 60, "\6\6\6\6");
  add("*.apps.home.example", kDnsTypeMx, 60, std::string("\0\5", 2) + Wire("mail.home.example"));
  add("fixed.apps.home.example", kDnsTypeTxt, 60, "\2no");
  add("*.alias.home.example", kDnsTypeCname, 60, Wire("www.home.example"));
  add("branch.home.example", kDnsTypeNs, 60, Wire("ns.branch.home.example"));
  add("branch.home.example", kDnsTypeNs, 60, Wire("ns.elsewhere.example"));
  add("branch.home.example", kDnsTypeDs, 60, "ds");
  add("ns.branch.home.example", kDnsTypeA, 60, "\7\7\7\7");
  return builder;
}

DnsZone HomeZone() {
  return HomeBuilder().Build();
}

TEST(DnsZone, AnswersAreWholeRecordsWithTheLowestTtl) {
  const Answer a = Ask(HomeZone(), "www.home.example", kDnsTypeA);
  EXPECT_EQ(a.outcome, Outcome::kAnswer);
  EXPECT_THAT(a.records, ElementsAre(ReadRecord{"www.home.example.", kDnsTypeA, 30, "\xc6\x33\x64\x32"},
                                     ReadRecord{"www.home.example.", kDnsTypeA, 30, "\xc6\x33\x64\x33"}));
  EXPECT_EQ(a.length, 2 * 16u) << "the owner is a pointer to the question";
}

TEST(DnsZone, WhatIsNotKnownAreTheAddresses) {
  DnsZoneBuilder builder = HomeBuilder();
  EXPECT_EQ(builder.AddFailing(Wire("home.example")), std::nullopt);
  const DnsZone zone = builder.Build();
  const DnsNameBuffer apex(Wire("home.example"));
  for (const uint16_t type : {kDnsTypeA, kDnsTypeAaaa, kDnsTypeAny}) {
    EXPECT_EQ(zone.Lookup(apex.view(), type).outcome, Outcome::kFailure) << type;
  }
  for (const uint16_t type : {kDnsTypeSoa, kDnsTypeNs, kDnsTypeMx}) {
    EXPECT_EQ(zone.Lookup(apex.view(), type).outcome, Outcome::kAnswer) << type;
  }
  EXPECT_EQ(zone.Lookup(apex.view(), kDnsTypeTxt).outcome, Outcome::kNoData);
}

TEST(DnsZone, AHostThatIsNamedTwiceIsAddedOnce) {
  DnsZoneBuilder builder = HomeBuilder();
  for (const char port : {'\1', '\2'}) {
    const std::string target = std::string("\0\0\0\0\0", 5) + port + Wire("mail.home.example");
    EXPECT_EQ(builder.Add({Wire("_sip._udp.home.example"), kDnsTypeSrv, 60, target}), std::nullopt);
  }
  const Answer srv = Ask(builder.Build(), "_sip._udp.home.example", kDnsTypeSrv);
  EXPECT_EQ(srv.records.size(), 2u);
  EXPECT_EQ(srv.additional.size(), 1u);
}

TEST(DnsZone, CaseDoesNotMatter) {
  EXPECT_EQ(Ask(HomeZone(), "WwW.hOmE.EXAMPLE", kDnsTypeA).outcome, Outcome::kAnswer);
  // '@' and '[' stand beside the letters and have no case.
  DnsZoneBuilder builder(Wire("@[`{"), 0);
  builder.Add({Wire("@[`{"), kDnsTypeSoa, 1, Soa(1)});
  const DnsZones zones({std::make_shared<DnsZone>(builder.Build())});
  EXPECT_NE(zones.Find(DnsNameBuffer(Wire("@[`{")).view()), nullptr);
  EXPECT_EQ(zones.Find(DnsNameBuffer(Wire("`{@[")).view()), nullptr);
}

TEST(DnsZone, NegativeAnswersCarryTheSoa) {
  const DnsZone zone = HomeZone();
  const ReadRecord soa{"home.example.", kDnsTypeSoa, 60, SoaText(60)};
  const Answer no_data = Ask(zone, "www.home.example", kDnsTypeAaaa);
  EXPECT_EQ(no_data.outcome, Outcome::kNoData);
  EXPECT_THAT(no_data.records, ElementsAre(soa));
  EXPECT_EQ(no_data.length, 12 + 6 + 13 + 20u) << "ns1 and hostmaster are compressed";
  EXPECT_EQ(Ask(zone, "www.home.example", 65).outcome, Outcome::kNoData) << "HTTPS";
  for (const char* name : {"ftp.home.example", "x.www.home.example", "x.y.z.home.example", "x.b.c.home.example",
                           "a.name.longer.than.any.other.in.the.zone.home.example"}) {
    const Answer missing = Ask(zone, name, kDnsTypeA);
    EXPECT_EQ(missing.outcome, Outcome::kNxDomain) << name;
    EXPECT_THAT(missing.records, ElementsAre(soa)) << name;
  }
}

TEST(DnsZone, EmptyNonTerminalsExist) {
  const DnsZone zone = HomeZone();
  for (const char* name : {"b.c.home.example", "c.home.example", "apps.home.example"}) {
    EXPECT_EQ(Ask(zone, name, kDnsTypeA).outcome, Outcome::kNoData) << name;
    EXPECT_EQ(Ask(zone, name, kDnsTypeAny).outcome, Outcome::kNoData) << name;
  }
}

TEST(DnsZone, WildcardsStandForWhatDoesNotExist) {
  const DnsZone zone = HomeZone();
  for (const char* name : {"x.apps.home.example", "deep.down.apps.home.example", "*.apps.home.example"}) {
    const Answer a = Ask(zone, name, kDnsTypeA);
    EXPECT_EQ(a.outcome, Outcome::kAnswer) << name;
    EXPECT_THAT(a.records, ElementsAre(ReadRecord{std::string(name) + ".", kDnsTypeA, 60, "\6\6\6\6"}));
  }
  const Answer mx = Ask(zone, "some.where.apps.home.example", kDnsTypeMx);
  EXPECT_THAT(mx.records, ElementsAre(ReadRecord{"some.where.apps.home.example.", kDnsTypeMx, 60,
                                                 std::string("\0\5", 2) + " mail.home.example. "}));
  EXPECT_THAT(mx.additional, ElementsAre(ReadRecord{"mail.home.example.", kDnsTypeA, 60, "\5\5\5\5"}));
  EXPECT_EQ(Ask(zone, "x.apps.home.example", kDnsTypeTxt).outcome, Outcome::kNoData);
  // RFC 4592 §2.2.1: a closer name that exists ends the wildcard's reach.
  EXPECT_EQ(Ask(zone, "fixed.apps.home.example", kDnsTypeA).outcome, Outcome::kNoData);
  EXPECT_EQ(Ask(zone, "x.fixed.apps.home.example", kDnsTypeA).outcome, Outcome::kNxDomain);
}

TEST(DnsZone, AliasesEndWithTheirTarget) {
  const DnsZone zone = HomeZone();
  for (const char* name : {"alias.home.example", "x.alias.home.example"}) {
    const Answer a = Ask(zone, name, kDnsTypeA);
    EXPECT_EQ(a.outcome, Outcome::kAlias) << name;
    EXPECT_THAT(a.records, ElementsAre(ReadRecord{std::string(name) + ".", kDnsTypeCname, 60, " www.home.example. "}));
    EXPECT_EQ(a.length, 12 + Wire("www.home.example").size()) << "uncompressed: the next records point at it";
    EXPECT_EQ(Ask(zone, name, kDnsTypeCname).outcome, Outcome::kAnswer);
    EXPECT_EQ(Ask(zone, name, kDnsTypeAny).outcome, Outcome::kAnswer);
  }
}

TEST(DnsZone, RecordsFollowTheNameThatTheyBelongTo) {
  // A CNAME of 12 bytes before the name, which stands within its rdata, and the records behind it.
  const DnsZone zone = HomeZone();
  const std::string name = Wire("home.example");
  const DnsZone::Found found = zone.Lookup(DnsNameBuffer(name).view(), kDnsTypeMx);
  Bytes message = Bytes(sizeof(DnsHeader)) + Bytes{1, 'x', 0, 0, 5, 0, 1} + Hex("c00c 0005 0001 00000000 000e") +
                  Bytes(name.begin(), name.end());
  const auto place = static_cast<uint16_t>(message.size() - name.size());
  const auto at = static_cast<uint16_t>(message.size());
  message.resize(at + found.records.whole_length());
  found.records.Write(message.data(), at, {.at = place, .length = static_cast<uint16_t>(name.size())}, true);
  message[5] = 1;
  message[7] = 3;
  message[11] = 1;
  const auto read = testing::ReadDns(message);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->answers[1].name, "home.example.");
  EXPECT_EQ(read->answers[2].rdata, std::string("\0\6", 2) + " mail.elsewhere.example. ");
  EXPECT_EQ(read->additional[0].name, "mail.home.example.");
}

TEST(DnsZone, AWildcardsRecordsFollowTheNameToo) {
  const DnsZone zone = HomeZone();
  const std::string name = Wire("x.apps.home.example");
  Bytes message = Bytes(sizeof(DnsHeader)) + Bytes{1, 'x', 0, 0, 5, 0, 1} + Hex("c00c 0005 0001 00000000 0015") +
                  Bytes(name.begin(), name.end());
  const DnsPlace place{.at = static_cast<uint16_t>(message.size() - name.size()),
                       .length = static_cast<uint16_t>(name.size())};
  const auto at = static_cast<uint16_t>(message.size());
  const DnsZone::Found found = zone.Lookup(DnsNameBuffer(name).view(), kDnsTypeA);
  message.resize(at + found.records.length());
  found.records.Write(message.data(), at, place, false);
  message[5] = 1;
  message[7] = 2;
  const auto read = testing::ReadDns(message);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->answers[1], (ReadRecord{"x.apps.home.example.", kDnsTypeA, 60, "\6\6\6\6"}));
}

TEST(DnsZone, DelegationsAreReferredTo) {
  const DnsZone zone = HomeZone();
  for (const char* name : {"branch.home.example", "www.branch.home.example", "ns.branch.home.example"}) {
    const Answer referral = Ask(zone, name, kDnsTypeA);
    EXPECT_EQ(referral.outcome, Outcome::kReferral) << name;
    EXPECT_THAT(referral.records,
                ElementsAre(ReadRecord{"branch.home.example.", kDnsTypeNs, 60, " ns.branch.home.example. "},
                            ReadRecord{"branch.home.example.", kDnsTypeNs, 60, " ns.elsewhere.example. "}));
    EXPECT_THAT(referral.additional, ElementsAre(ReadRecord{"ns.branch.home.example.", kDnsTypeA, 60, "\7\7\7\7"}));
  }
  EXPECT_EQ(Ask(zone, "branch.home.example", kDnsTypeDs).outcome, Outcome::kAnswer)
      << "the parent's (RFC 4035 §3.1.4.1)";
  EXPECT_EQ(Ask(zone, "www.branch.home.example", kDnsTypeDs).outcome, Outcome::kReferral);
}

TEST(DnsZone, HostsOfTheAnswerAreAdded) {
  const Answer mx = Ask(HomeZone(), "home.example", kDnsTypeMx);
  EXPECT_EQ(mx.records.size(), 2u);
  EXPECT_THAT(mx.additional, ElementsAre(ReadRecord{"mail.home.example.", kDnsTypeA, 60, "\5\5\5\5"}));
}

TEST(DnsZone, RootZone) {
  DnsZoneBuilder builder(Wire("."), 1);
  builder.Add({Wire("."), kDnsTypeSoa, 10, Soa(10)});
  builder.Add({Wire("."), kDnsTypeNs, 10, Wire("ns.example")});
  builder.Add({Wire("a.b"), kDnsTypeA, 60, "\1\2\3\4"});
  const DnsZone zone = builder.Build();
  EXPECT_THAT(Ask(zone, ".", kDnsTypeNs).records, ElementsAre(ReadRecord{".", kDnsTypeNs, 10, " ns.example. "}));
  EXPECT_EQ(Ask(zone, "b", kDnsTypeA).outcome, Outcome::kNoData);
  EXPECT_THAT(Ask(zone, "x.y", kDnsTypeA).records, ElementsAre(ReadRecord{".", kDnsTypeSoa, 10, SoaText(10)}));
}

TEST(DnsZoneBuilder, TellsWhatIsWrong) {
  DnsZoneBuilder builder = HomeBuilder();
  const auto add = [&](const char* name, uint16_t type, std::string rdata = "\1\2\3\4") {
    return builder.Add({Wire(name), type, 60, std::move(rdata)}).value_or("");
  };
  EXPECT_THAT(add("www.other.example", kDnsTypeA), HasSubstr("outside the zone"));
  EXPECT_THAT(add("home.example", kDnsTypeSoa, Soa(3)), HasSubstr("second SOA"));
  EXPECT_THAT(add("www.home.example", kDnsTypeSoa, Soa(3)), HasSubstr("SOA below"));
  EXPECT_THAT(add("www.home.example", kDnsTypeCname, Wire("x")), HasSubstr("must be alone"));
  EXPECT_THAT(add("alias.home.example", kDnsTypeA), HasSubstr("must be alone"));
  EXPECT_THAT(add("alias.home.example", kDnsTypeCname, Wire("x")), HasSubstr("second CNAME"));
  EXPECT_THAT(add("*.x.home.example", kDnsTypeNs, Wire("x")), HasSubstr("wildcard"));
  EXPECT_THAT(add("x.home.example", kDnsTypeDname, Wire("x")), HasSubstr("not served"));
  EXPECT_THAT(add("x.home.example", 250), HasSubstr("no data"));
  EXPECT_THAT(add("x.home.example", kDnsTypeTxt, std::string(12'000, 'x')), HasSubstr("12,000 bytes"));
  for (int i = 0; i < 46; ++i)
    EXPECT_EQ(add("x.home.example", kDnsTypeTxt, std::string(240, static_cast<char>(i))), "");
  EXPECT_EQ(add("x.home.example", kDnsTypeTxt, std::string(240, '\1')), "") << "it is there already";
  EXPECT_EQ(add("x.home.example", kDnsTypeTxt, std::string(240, 'a')), "");
  EXPECT_THAT(add("x.home.example", kDnsTypeTxt, std::string(240, 'b')), HasSubstr("12,000 bytes"));
  EXPECT_EQ(builder.Missing(), std::nullopt);
  DnsZoneBuilder empty(Wire("home.example"), 0);
  EXPECT_THAT(empty.Missing().value_or(""), HasSubstr("SOA"));
  empty.Add({Wire("home.example"), kDnsTypeSoa, 60, Soa(3)});
  EXPECT_THAT(empty.Missing().value_or(""), HasSubstr("NS"));
}

TEST(DnsZoneBuilder, AZoneHasALimit) {
  DnsZoneBuilder builder(Wire("home.example"), 0x5eed, kDnsClassIn, size_t{1} << 20);
  const auto add = [&](int number, size_t size) {
    return builder.Add({Wire("n" + std::to_string(number) + ".home.example"), kDnsTypeTxt, 60, std::string(size, 'x')});
  };
  int taken = 0;
  while (!add(taken, 10'000)) ASSERT_LE(++taken, 104);
  EXPECT_EQ(taken, 104);  // with names and heads as well, 2^20 / 10,030
  EXPECT_EQ(add(taken, 10'000), "makes the zone larger than 1 MiB; divide it");
  EXPECT_EQ(add(taken, 1'000), std::nullopt);  // what was refused does not count
}

TEST(DnsZone, LongestNames) {
  const std::string label(63, 'l');
  const std::string apex = label + "." + label + "." + label;
  DnsZoneBuilder builder(Wire(apex), 3);
  builder.Add({Wire(apex), kDnsTypeSoa, 60, Soa(1)});
  builder.Add({Wire(std::string(61, 'x') + "." + apex), kDnsTypeA, 60, "\1\2\3\4"});
  builder.Add({Wire("*." + apex), kDnsTypeTxt, 60, "\2hi"});
  const DnsZone zone = builder.Build();
  EXPECT_EQ(Ask(zone, std::string(61, 'X') + "." + apex, kDnsTypeA).outcome, Outcome::kAnswer);
  EXPECT_EQ(Ask(zone, std::string(61, 'y') + "." + apex, kDnsTypeTxt).outcome, Outcome::kAnswer);
}

// A zone of many names against a map, under several seeds.
TEST(DnsZone, ManyNamesAreAllFound) {
  for (const uint64_t seed : {0ull, 1ull, 0xffffffffffffffffull}) {
    std::mt19937 random(7);
    DnsZoneBuilder builder(Wire("z"), seed);
    builder.Add({Wire("z"), kDnsTypeSoa, 10, Soa(1)});
    std::map<std::string, std::string> expected;
    for (int i = 0; i < 20000; ++i) {
      std::string name = "h" + std::to_string(random() % 1000000);
      if (i % 3 == 0) name += ".sub" + std::to_string(random() % 50);
      const std::string address = std::to_string(1000 + random() % 9000);
      if (expected.emplace(name + ".z", address).second) builder.Add({Wire(name + ".z"), kDnsTypeA, 1, address});
    }
    const DnsZone zone = builder.Build();
    for (const auto& [name, address] : expected) {
      ASSERT_THAT(Ask(zone, name, kDnsTypeA).records, ElementsAre(ReadRecord{name + ".", kDnsTypeA, 1, address}));
    }
    for (int i = 0; i < 1000; ++i) {
      const std::string name = "h" + std::to_string(random() % 1000000) + ".z";
      ASSERT_EQ(Ask(zone, name, kDnsTypeA).outcome, expected.contains(name) ? Outcome::kAnswer : Outcome::kNxDomain);
    }
  }
}

std::shared_ptr<const DnsZone> Small(std::string_view apex) {
  DnsZoneBuilder builder(Wire(apex), 0);
  builder.Add({Wire(apex), kDnsTypeSoa, 60, Soa(1)});
  return std::make_shared<DnsZone>(builder.Build());
}

TEST(DnsZones, TheClosestZoneCounts) {
  const DnsZones zones({Small("example"), Small("deep.sub.example"), Small("home.test")});
  const auto apex = [&](std::string_view name) {
    const DnsZone* const zone = zones.Find(DnsNameBuffer(Wire(name)).view());
    return zone == nullptr ? "" : zone->apex();
  };
  EXPECT_EQ(apex("deep.sub.example"), Wire("deep.sub.example"));
  EXPECT_EQ(apex("www.deep.sub.example"), Wire("deep.sub.example"));
  EXPECT_EQ(apex("sub.example"), Wire("example"));
  EXPECT_EQ(apex("EXAMPLE"), Wire("example"));
  EXPECT_EQ(apex("x.y.home.test"), Wire("home.test"));
  for (const char* name : {".", "test", "xhome.test", "home.test.net", "other"}) EXPECT_EQ(apex(name), "") << name;
  EXPECT_EQ(DnsZones().Find(DnsNameBuffer(Wire("example")).view()), nullptr);
  EXPECT_EQ(DnsZones({Small(".")}).Find(DnsNameBuffer(Wire("a.b")).view())->apex(), Wire("."));
}

}  // namespace
}  // namespace qure
