#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "control/config/config_file.h"
#include "control/config/zone_text.h"
#include "proto/dns/ldns.h"
#include "tests/support/dns_reader.h"
#include "tests/support/temporary_directory.h"

namespace qure {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::ReadRecord;

std::string Wire(std::string_view name) {
  return DnsNameToWire(name).value();
}

Config Parsed(std::string_view zones) {
  const std::string text = R"(
[node]
name = "n1"
[node.lan]
port = "af_packet:eth0"
[[cluster.address]]
address = "198.51.100.50/24"
)" + std::string(zones);
  absl::StatusOr<Config> config = ParseConfig(text, "test.toml");
  if (!config.ok()) ADD_FAILURE() << config.status().message();
  return config.value_or(Config{});
}

std::vector<ReadRecord> Ask(const DnsZone& zone, std::string_view name, uint16_t type) {
  const auto answer = testing::AskZone(zone, Wire(name), type);
  if (!answer || answer->outcome != DnsZone::Outcome::kAnswer) return {};
  return answer->records;
}

TEST(ZoneConfigTest, ReadsTheZoneOfTheExample) {
  const absl::StatusOr<Config> config = LoadConfig(EXAMPLE_CONFIG);
  ASSERT_TRUE(config.ok()) << config.status().message();
  ASSERT_EQ(config->cluster.zones.size(), 1u);
  const DnsZone& zone = *config->cluster.zones[0].zone;
  EXPECT_EQ(zone.apex(), Wire("home.example"));
  EXPECT_EQ(zone.serial(), 1u);
  EXPECT_EQ(zone.record_count(), 6u);
  const std::string timers("\0\0\0\1\0\0\x0e\x10\0\0\x02\x58\0\1\x51\x80\0\0\0\x3c", 20);
  EXPECT_THAT(Ask(zone, "home.example", kDnsTypeSoa),
              ElementsAre(ReadRecord{"home.example.", kDnsTypeSoa, 60,
                                     " ns1.home.example.  hostmaster.home.example. " + timers}));
  EXPECT_THAT(Ask(zone, "home.example", kDnsTypeNs),
              ElementsAre(ReadRecord{"home.example.", kDnsTypeNs, 60, " ns1.home.example. "}));
  EXPECT_THAT(Ask(zone, "www.home.example", kDnsTypeA),
              ElementsAre(ReadRecord{"www.home.example.", kDnsTypeA, 60, "\xc6\x33\x64\x32"}));
  EXPECT_THAT(Ask(zone, "www.home.example", kDnsTypeTxt),
              ElementsAre(ReadRecord{"www.home.example.", kDnsTypeTxt, 300, "\x15held together by QuRe"}));
}

TEST(ZoneConfigTest, FillsTheSoaFromTheZone) {
  const Config config = Parsed("[[cluster.zone]]\nname = \"a.example\"\nns = [\"ns.b.example\", \"ns.c.example.\"]\n");
  ASSERT_EQ(config.cluster.zones.size(), 1u);
  const DnsZone& zone = *config.cluster.zones[0].zone;
  ASSERT_THAT(Ask(zone, "a.example", kDnsTypeSoa), ::testing::SizeIs(1));
  EXPECT_THAT(Ask(zone, "a.example", kDnsTypeSoa)[0].rdata,
              ::testing::StartsWith(" ns.b.example.  hostmaster.a.example. "));
  EXPECT_THAT(Ask(zone, "a.example", kDnsTypeNs), ::testing::SizeIs(2));
}

TEST(ZoneConfigTest, PlacesRecordsByTheirNames) {
  const Config config = Parsed(R"(
[[cluster.zone]]
name = "A.example"
ns = ["ns.a.example"]
record = [
  { name = "@", type = "A", value = "198.51.100.50" },
  { name = "deep.WWW", type = "A", value = "198.51.100.50" },
  { name = "whole.a.example.", type = "A", value = "198.51.100.50" },
  { name = 'dotted\.', type = "A", value = "198.51.100.50" },
]
)");
  ASSERT_EQ(config.cluster.zones.size(), 1u);
  for (const char* name : {"a.example", "deep.www.a.example", "whole.a.example", R"(dotted\..a.example)"}) {
    EXPECT_THAT(Ask(*config.cluster.zones[0].zone, name, kDnsTypeA), ::testing::SizeIs(1)) << name;
  }
}

TEST(ZoneConfigTest, TakesRecordsOfAllTypes) {
  const Config config = Parsed(R"(
[[cluster.zone]]
name = "a.example"
ns = ["ns.a.example"]
record = [
  { name = "www", type = "CNAME", value = "web.a.example" },
  { name = "@", type = "MX", value = "10 mail" },
  { name = "_http._tcp", type = "SRV", value = "0 5 80 web.a.example." },
  { name = "@", type = "CAA", value = '0 issue "ca.example"' },
  { name = "x", type = "TYPE731", value = '\# 2 abcd' },
  { name = "*.apps", type = "A", value = "198.51.100.50" },
  { name = "branch", type = "NS", value = "ns.branch.a.example" },
]
)");
  ASSERT_EQ(config.cluster.zones.size(), 1u);
  const DnsZone& zone = *config.cluster.zones[0].zone;
  EXPECT_THAT(Ask(zone, "www.a.example", kDnsTypeCname),
              ElementsAre(ReadRecord{"www.a.example.", kDnsTypeCname, 60, " web.a.example. "}));
  EXPECT_THAT(Ask(zone, "a.example", kDnsTypeMx),
              ElementsAre(ReadRecord{"a.example.", kDnsTypeMx, 60, std::string("\0\x0a", 2) + " mail.a.example. "}));
  EXPECT_THAT(Ask(zone, "_http._tcp.a.example", kDnsTypeSrv),
              ElementsAre(ReadRecord{"_http._tcp.a.example.", kDnsTypeSrv, 60,
                                     std::string("\0\0\0\5\0\x50", 6) + " web.a.example. "}));
  EXPECT_THAT(Ask(zone, "a.example", 257),
              ElementsAre(ReadRecord{"a.example.", 257, 60, std::string("\0\5issueca.example", 17)}));
  EXPECT_THAT(Ask(zone, "x.a.example", 731), ElementsAre(ReadRecord{"x.a.example.", 731, 60, "\xab\xcd"}));
  EXPECT_THAT(Ask(zone, "any.apps.a.example", kDnsTypeA), ::testing::SizeIs(1));
  EXPECT_EQ(testing::AskZone(zone, Wire("x.branch.a.example"), kDnsTypeA)->outcome, DnsZone::Outcome::kReferral);
}

TEST(ZoneConfigTest, TakesNamesThatFollowTheCluster) {
  const Config config = Parsed(R"(
[[cluster.service]]
name = "web"
protocol = "tcp"
ports = "80"
[[cluster.zone]]
name = "a.example"
ns = ["ns.a.example"]
[[cluster.zone.record]]
name = "@"
type = "ALIAS"
value = "CDN.example"
[[cluster.zone.record]]
name = "site"
type = "CLUSTER"
value = "service"
ttl = 5
[[cluster.zone.record]]
name = "web"
type = "CLUSTER"
value = "healthy web"
[[cluster.zone.record]]
name = "first"
type = "CLUSTER"
value = "healthy web"
order = "sorted"
[[cluster.zone]]
name = "b.example"
ns = ["ns.b.example"]
)");
  ASSERT_EQ(config.cluster.zones.size(), 2u);
  const ZoneConfig& zone = config.cluster.zones[0];
  ASSERT_NE(zone.live, nullptr);
  const std::vector<LiveRecord>& live = zone.live->live;
  ASSERT_EQ(live.size(), 4u);
  EXPECT_EQ(live[0].name, Wire("a.example"));
  EXPECT_EQ(live[0].from, LiveRecord::From::kAlias);
  EXPECT_EQ(live[0].argument, Wire("cdn.example"));
  EXPECT_EQ(live[0].ttl, 60u);
  EXPECT_EQ(live[1].from, LiveRecord::From::kServiceAddresses);
  EXPECT_EQ(live[1].ttl, 5u);
  EXPECT_FALSE(live[1].rotate);
  EXPECT_EQ(live[2].from, LiveRecord::From::kHealthy);
  EXPECT_EQ(live[2].argument, "web");
  EXPECT_TRUE(live[2].rotate);
  EXPECT_FALSE(live[3].rotate);
  const DnsNameBuffer name(std::string_view(live[1].name));
  EXPECT_EQ(zone.zone->Lookup(name.view(), kDnsTypeA).outcome, DnsZone::Outcome::kFailure);
  EXPECT_EQ(config.cluster.zones[1].live, nullptr);
}

TEST(ZoneConfigTest, SplitsLongTexts) {
  const std::string text(600, 'x');
  const Config config = Parsed(
      "[[cluster.zone]]\nname = \"a.example\"\nns = [\"ns.a.example\"]\n"
      "[[cluster.zone.record]]\nname = \"long\"\ntype = \"TXT\"\nvalue = \"" +
      text +
      "\"\n"
      "[[cluster.zone.record]]\nname = \"empty\"\ntype = \"TXT\"\nvalue = \"\"\n");
  ASSERT_EQ(config.cluster.zones.size(), 1u);
  const DnsZone& zone = *config.cluster.zones[0].zone;
  ASSERT_THAT(Ask(zone, "long.a.example", kDnsTypeTxt), ::testing::SizeIs(1));
  EXPECT_EQ(Ask(zone, "long.a.example", kDnsTypeTxt)[0].rdata,
            "\xff" + text.substr(0, 255) + "\xff" + text.substr(0, 255) + "\x5a" + text.substr(0, 90));
  EXPECT_EQ(Ask(zone, "empty.a.example", kDnsTypeTxt)[0].rdata, std::string(1, '\0'));
}

class ZoneFileTest : public ::testing::Test {
 protected:
  std::vector<std::string> Read(std::string_view text) {
    std::ofstream(path_) << text;
    return ReadZoneFile(path_, "a.example.", 77, &builder_);
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_ / "a.zone";
  DnsZoneBuilder builder_{Wire("a.example"), 1};
};

TEST_F(ZoneFileTest, ReadsWhatZoneFilesHave) {
  EXPECT_THAT(Read(R"($ORIGIN a.example.
@ 60 IN SOA ns hostmaster ( 2026 ; the serial
      3600 600 86400 30 )
  IN NS ns        ; the owner is the one before, the TTL is the default
$TTL 2h
NS A 198.51.100.1
   AAAA 2001:db8::1
texts TXT "two strings" second
$ORIGIN sub.a.example.
www 5 CNAME ns.a.example.
*   TYPE731 \# 3 010203
)"),
              IsEmpty());
  ASSERT_EQ(builder_.Missing(), std::nullopt);
  const DnsZone zone = builder_.Build();
  EXPECT_EQ(zone.serial(), 2026u);
  EXPECT_THAT(Ask(zone, "a.example", kDnsTypeNs),
              ElementsAre(ReadRecord{"a.example.", kDnsTypeNs, 77, " ns.a.example. "}));
  EXPECT_THAT(Ask(zone, "ns.a.example", kDnsTypeA),
              ElementsAre(ReadRecord{"ns.a.example.", kDnsTypeA, 7200, "\xc6\x33\x64\x01"}));
  EXPECT_THAT(Ask(zone, "www.sub.a.example", kDnsTypeCname),
              ElementsAre(ReadRecord{"www.sub.a.example.", kDnsTypeCname, 5, " ns.a.example. "}));
  EXPECT_THAT(Ask(zone, "x.sub.a.example", 731), ElementsAre(ReadRecord{"x.sub.a.example.", 731, 7200, "\1\2\3"}));
}

TEST_F(ZoneFileTest, ErrorsHaveTheirLine) {
  EXPECT_THAT(Read("$TTL 60\n"
                   "@ SOA ns hostmaster 1 2 3 4 5\n"
                   "@ NS ns\n"
                   "ns A 300.1.1.1\n"
                   "other.example. A 198.51.100.1\n"
                   "$INCLUDE more.zone\n"
                   "ns CH A 198.51.100.1\n"),
              ElementsAre(HasSubstr("a.zone, line 4: "), HasSubstr("a.zone, line 5: \"other.example. A\""),
                          HasSubstr("a.zone, line 6: $INCLUDE"), HasSubstr("a.zone, line 7: \"ns.a.example. A\"")));
}

TEST_F(ZoneFileTest, RefusesTtlsBeyond31Bits) {
  EXPECT_THAT(Read("most 2147483647 A 198.51.100.1\n"
                   "more 2147483648 A 198.51.100.1\n"
                   "$TTL 4294967295\n"
                   "other A 198.51.100.1\n"),
              ElementsAre(HasSubstr("a.zone, line 2: \"more.a.example. A\""),
                          HasSubstr("a.zone, line 4: \"other.a.example. A\"")));
}

TEST_F(ZoneFileTest, StopsAfterTenProblems) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "www A nowhere\n";
  EXPECT_THAT(Read(text), ::testing::SizeIs(10));
}

TEST_F(ZoneFileTest, FilesThatCannotBeRead) {
  EXPECT_THAT(ReadZoneFile("/nowhere/a.zone", "a.example.", 60, &builder_), ElementsAre(HasSubstr("No such file")));
  EXPECT_THAT(ReadZoneFile("/", "a.example.", 60, &builder_), ElementsAre(HasSubstr("cannot be read")));
}

TEST(DnsTypes, NamesAndNumbers) {
  EXPECT_EQ(DnsTypeOf("MX"), kDnsTypeMx);
  EXPECT_EQ(DnsTypeOf("TYPE731"), 731);
  EXPECT_EQ(DnsTypeOf("nothing"), std::nullopt);
  EXPECT_EQ(DnsTypeName(kDnsTypeSrv), "SRV");
  EXPECT_EQ(DnsTypeName(731), "TYPE731");
}

}  // namespace
}  // namespace qure
