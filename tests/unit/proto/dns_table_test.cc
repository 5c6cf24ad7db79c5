#include "proto/dns_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "tests/unit/proto/wire.h"

namespace qure {
namespace {

using Outcome = DnsTable::Outcome;

std::string Wire(std::string_view name) {
  return DnsNameToWire(name).value();
}

Bytes ToBytes(ConstBytes bytes) {
  return Bytes(bytes.begin(), bytes.end());
}

// Two root names, then serial, refresh, retry, expire and MINIMUM.
std::string Soa(uint8_t minimum) {
  const Bytes rdata = Hex("0000 00000001 00000002 00000003 00000004 000000") + Bytes{minimum};
  return std::string(rdata.begin(), rdata.end());
}

// The question name in a buffer of exactly its size.
DnsTable::Result Look(const DnsTable& table, std::string_view wire, uint16_t type) {
  const Bytes name(wire.begin(), wire.end());
  return table.Lookup(name, type);
}

DnsTable::Result Ask(const DnsTable& table, std::string_view name, uint16_t type) {
  return Look(table, Wire(name), type);
}

DnsTable HomeTable() {
  DnsTableBuilder builder(0x5eed);
  builder.AddZone(Wire("home.example"), 300, Soa(60));
  builder.AddRecord({Wire("home.example"), kDnsTypeNs, 300, Wire("ns1.home.example")});
  builder.AddRecord({Wire("www.home.example"), kDnsTypeA, 60, "\xc6\x33\x64\x32"});
  builder.AddRecord({Wire("www.home.example"), kDnsTypeA, 30, "\xc6\x33\x64\x33"});
  builder.AddRecord({Wire("www.home.example"), kDnsTypeTxt, 300, "\2hi"});
  builder.AddRecord({Wire("a.b.c.home.example"), kDnsTypeA, 60, "\1\2\3\4"});
  return builder.Build();
}

TEST(DnsTable, EmptyAnswersNothing) {
  const DnsTable table;
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(Ask(table, "home.example", kDnsTypeA).outcome, Outcome::kNotOurs);
  EXPECT_EQ(Ask(DnsTableBuilder().Build(), ".", kDnsTypeA).outcome, Outcome::kNotOurs);
}

TEST(DnsTable, AnswerIsWholeRecordsWithTheLowestTtl) {
  const DnsTable table = HomeTable();
  const auto result = Ask(table, "www.home.example", kDnsTypeA);
  EXPECT_EQ(result.outcome, Outcome::kAnswer);
  EXPECT_EQ(result.count, 2);
  EXPECT_EQ(ToBytes(result.records), Hex("c00c 0001 0001 0000001e 0004 c6336432"
                                         "c00c 0001 0001 0000001e 0004 c6336433"));
  const auto txt = Ask(table, "www.home.example", kDnsTypeTxt);
  EXPECT_EQ(ToBytes(txt.records), Hex("c00c 0010 0001 0000012c 0003 026869"));
}

TEST(DnsTable, LowestTtlWhereverItStands) {
  DnsTableBuilder builder;
  builder.AddZone(Wire("x"), 10, Soa(1));
  builder.AddRecord({Wire("x"), kDnsTypeA, 60, "aaaa"});
  builder.AddRecord({Wire("x"), kDnsTypeA, 20, "bbbb"});
  builder.AddRecord({Wire("x"), kDnsTypeA, 40, "cccc"});
  const DnsTable table = builder.Build();
  const auto result = Ask(table, "x", kDnsTypeA);
  ASSERT_EQ(result.count, 3);
  for (size_t record = 0; record < 3; ++record) {
    EXPECT_EQ(ToBytes(result.records.subspan(record * 16 + 6, 4)), Hex("00000014"));
  }
}

TEST(DnsTable, ApexHasItsSoa) {
  const DnsTable table = HomeTable();
  const auto result = Ask(table, "home.example", kDnsTypeSoa);
  EXPECT_EQ(result.outcome, Outcome::kAnswer);
  EXPECT_EQ(result.count, 1);
  EXPECT_EQ(ToBytes(result.records).size(), 2 + 10 + 22u);
  EXPECT_EQ(Prefix(ToBytes(result.records), 12), Hex("c00c 0006 0001 0000012c 0016"));
  EXPECT_EQ(Ask(table, "home.example", kDnsTypeNs).outcome, Outcome::kAnswer);
}

TEST(DnsTable, CaseDoesNotMatter) {
  const DnsTable table = HomeTable();
  EXPECT_EQ(Look(table, std::string("\3WwW\4hOmE\7EXAMPLE\0", 18), kDnsTypeA).outcome, Outcome::kAnswer);
  // '@' and '[' stand beside the letters and have no case.
  DnsTableBuilder builder;
  builder.AddZone(Wire("@[`{"), 1, Soa(1));
  const DnsTable symbols = builder.Build();
  EXPECT_EQ(Ask(symbols, "@[`{", kDnsTypeSoa).outcome, Outcome::kAnswer);
  EXPECT_EQ(Ask(symbols, "`{@[", kDnsTypeSoa).outcome, Outcome::kNotOurs);
}

TEST(DnsTable, NoDataCarriesTheNegativeSoa) {
  const DnsTable table = HomeTable();
  const auto result = Ask(table, "www.home.example", kDnsTypeAaaa);
  EXPECT_EQ(result.outcome, Outcome::kNoData);
  EXPECT_EQ(result.count, 1);
  EXPECT_EQ(result.zone_length, Wire("home.example").size());
  EXPECT_EQ(ToBytes(result.records), Hex("0006 0001 0000003c 0016 0000 00000001 00000002 00000003 00000004 0000003c"));
  EXPECT_EQ(Ask(table, "www.home.example", 65).outcome, Outcome::kNoData);  // HTTPS
}

TEST(DnsTable, NegativeTtlIsTheLower) {
  DnsTableBuilder builder;
  builder.AddZone(Wire("x"), 5, Soa(60));
  const DnsTable table = builder.Build();
  EXPECT_EQ(Prefix(ToBytes(Ask(table, "x", kDnsTypeA).records), 8), Hex("0006 0001 00000005"));
}

TEST(DnsTable, EmptyNonTerminalsExist) {
  const DnsTable table = HomeTable();
  EXPECT_EQ(Ask(table, "b.c.home.example", kDnsTypeA).outcome, Outcome::kNoData);
  EXPECT_EQ(Ask(table, "c.home.example", kDnsTypeA).outcome, Outcome::kNoData);
  EXPECT_EQ(Ask(table, "c.home.example", kDnsTypeAny).outcome, Outcome::kNoData);
  EXPECT_EQ(table.name_count(), 5u);  // apex, www, a.b.c, b.c, c
}

TEST(DnsTable, NamesThatDoNotExist) {
  const DnsTable table = HomeTable();
  for (const char* name : {"ftp.home.example", "x.www.home.example", "x.y.z.home.example", "b.home.example",
                           "a.name.longer.than.any.other.in.the.table.home.example", "x.b.c.home.example"}) {
    const auto result = Ask(table, name, kDnsTypeA);
    EXPECT_EQ(result.outcome, Outcome::kNxDomain) << name;
    EXPECT_EQ(result.zone_length, Wire("home.example").size()) << name;
    EXPECT_EQ(result.count, 1) << name;
  }
}

TEST(DnsTable, NamesOutsideAllZones) {
  const DnsTable table = HomeTable();
  for (const char* name : {".", "example", "xhome.example", "home.example.net", "www.home.exampl", "other.example"}) {
    const auto result = Ask(table, name, kDnsTypeA);
    EXPECT_EQ(result.outcome, Outcome::kNotOurs) << name;
    EXPECT_TRUE(result.records.empty()) << name;
  }
}

TEST(DnsTable, AnyGetsOneSet) {
  const DnsTable table = HomeTable();
  const auto result = Ask(table, "www.home.example", kDnsTypeAny);
  EXPECT_EQ(result.outcome, Outcome::kAnswer);
  EXPECT_EQ(result.records.data(), Ask(table, "www.home.example", kDnsTypeA).records.data());
}

TEST(DnsTable, ClosestEnclosingZoneWins) {
  DnsTableBuilder builder;
  builder.AddZone(Wire("example"), 10, Soa(10));
  builder.AddZone(Wire("deep.sub.example"), 20, Soa(20));
  builder.AddRecord({Wire("www.deep.sub.example"), kDnsTypeA, 60, "\1\2\3\4"});
  const DnsTable table = builder.Build();
  const auto zone = [&table](const char* name) { return Ask(table, name, kDnsTypeAaaa).zone_length; };
  const auto outer = Wire("example").size();
  const auto inner = Wire("deep.sub.example").size();
  EXPECT_EQ(zone("deep.sub.example"), inner);
  EXPECT_EQ(zone("www.deep.sub.example"), inner);
  EXPECT_EQ(zone("nothing.deep.sub.example"), inner);
  EXPECT_EQ(zone("nothing.sub.example"), outer);
  EXPECT_EQ(zone("example"), outer);
  // Above the inner apex an empty non-terminal of the outer zone.
  EXPECT_EQ(zone("sub.example"), outer);
  EXPECT_EQ(Ask(table, "sub.example", kDnsTypeA).outcome, Outcome::kNoData);
}

TEST(DnsTable, RootZone) {
  DnsTableBuilder builder;
  builder.AddZone(Wire("."), 10, Soa(10));
  builder.AddRecord({Wire("a.b"), kDnsTypeA, 60, "\1\2\3\4"});
  const DnsTable table = builder.Build();
  EXPECT_EQ(Ask(table, ".", kDnsTypeSoa).outcome, Outcome::kAnswer);
  EXPECT_EQ(Ask(table, "b", kDnsTypeA).outcome, Outcome::kNoData);
  EXPECT_EQ(Ask(table, "x.y", kDnsTypeA).outcome, Outcome::kNxDomain);
  EXPECT_EQ(Ask(table, "x.y", kDnsTypeA).zone_length, 1);
}

TEST(DnsTable, WhatIsNotServed) {
  DnsTableBuilder builder;
  builder.AddZone(Wire("home.example"), 10, Soa(1));
  builder.AddZone(Wire("home.example"), 10, Soa(7));  // the last one counts
  builder.AddRecord({Wire("www.other.example"), kDnsTypeA, 60, "\1\2\3\4"});
  builder.AddRecord({Wire("home.example"), kDnsTypeSoa, 60, Soa(9)});
  builder.AddRecord({Wire("big.home.example"), kDnsTypeTxt, 60, std::string(65536, 'x')});
  builder.AddRecord({Wire("www.home.example"), kDnsTypeA, 60, "\1\2\3\4"});
  builder.AddRecord({Wire("www.home.example"), kDnsTypeA, 60, "\1\2\3\4"});  // twice the same
  const DnsTable table = builder.Build();
  EXPECT_EQ(Ask(table, "www.other.example", kDnsTypeA).outcome, Outcome::kNotOurs);
  EXPECT_EQ(Ask(table, "big.home.example", kDnsTypeTxt).outcome, Outcome::kNxDomain);
  EXPECT_EQ(Ask(table, "www.home.example", kDnsTypeA).count, 1);
  const auto soa = Ask(table, "home.example", kDnsTypeSoa);
  EXPECT_EQ(soa.count, 1);
  EXPECT_EQ(soa.records.back(), 7);
}

TEST(DnsTable, LongestNames) {
  const std::string label(63, 'l');
  const std::string zone = label + "." + label + "." + label;
  DnsTableBuilder builder;
  builder.AddZone(Wire(zone), 10, Soa(1));
  builder.AddRecord({Wire(std::string(61, 'x') + "." + zone), kDnsTypeA, 60, "\1\2\3\4"});
  const DnsTable table = builder.Build();
  EXPECT_EQ(Ask(table, std::string(61, 'X') + "." + zone, kDnsTypeA).outcome, Outcome::kAnswer);
  EXPECT_EQ(Ask(table, std::string(61, 'y') + "." + zone, kDnsTypeA).outcome, Outcome::kNxDomain);
}

// A table of many names against a map, under several seeds.
TEST(DnsTable, ManyNamesAreAllFound) {
  for (const uint64_t seed : {0ull, 1ull, 0xffffffffffffffffull}) {
    std::mt19937 random(7);
    DnsTableBuilder builder(seed);
    builder.AddZone(Wire("z"), 10, Soa(1));
    std::map<std::string, std::string> expected;
    for (int i = 0; i < 20000; ++i) {
      std::string name = "h" + std::to_string(random() % 1000000);
      if (i % 3 == 0) name += ".sub" + std::to_string(random() % 50);
      const std::string address = std::to_string(1000 + random() % 9000);
      if (expected.emplace(Wire(name + ".z"), address).second)
        builder.AddRecord({Wire(name + ".z"), kDnsTypeA, 1, address});
    }
    const DnsTable table = builder.Build();
    for (const auto& [name, address] : expected) {
      const auto result = Look(table, name, kDnsTypeA);
      ASSERT_EQ(result.outcome, Outcome::kAnswer) << name;
      const ConstBytes rdata = result.records.last(4);
      ASSERT_EQ(std::string(rdata.begin(), rdata.end()), address) << name;
    }
    for (int i = 0; i < 1000; ++i) {
      const std::string name = Wire("h" + std::to_string(random() % 1000000) + ".z");
      ASSERT_EQ(Look(table, name, kDnsTypeA).outcome, expected.contains(name) ? Outcome::kAnswer : Outcome::kNxDomain);
    }
  }
}

TEST(DnsTable, SurvivesMoveAndCopy) {
  DnsTable original = HomeTable();
  const DnsTable copy = original;
  const DnsTable moved = std::move(original);
  EXPECT_EQ(Ask(copy, "www.home.example", kDnsTypeA).outcome, Outcome::kAnswer);
  EXPECT_EQ(Ask(moved, "www.home.example", kDnsTypeA).outcome, Outcome::kAnswer);
}

}  // namespace
}  // namespace qure
