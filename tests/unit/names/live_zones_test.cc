#include "control/names/live_zones.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/dns/message.h"
#include "proto/dns/zones.h"
#include "tests/support/dns_reader.h"

namespace qure::test {
namespace {

using qure::testing::AskZone;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::string Wire(std::string_view name) {
  return DnsNameToWire(name).value();
}

LiveRecord Live(std::string_view name, LiveRecord::From from, std::string argument = {}) {
  return {.name = Wire(name), .ttl = 30, .from = from, .argument = std::move(argument)};
}

ClusterConfig ConfigWith(std::vector<LiveRecord> live) {
  DnsZoneBuilder base(Wire("live.test"), 0);
  base.Add({Wire("live.test"), kDnsTypeSoa, 60, Wire("live.test") + Wire("live.test") + std::string(20, '\1')});
  base.Add({Wire("live.test"), kDnsTypeNs, 60, Wire("live.test")});
  DnsZoneBuilder empty = base;
  for (const LiveRecord& record : live) empty.AddFailing(record.name);
  ClusterConfig config;
  config.zones = {{.file = {},
                   .zone = std::make_shared<const DnsZone>(empty.Build()),
                   .live = std::make_shared<const LiveZone>(LiveZone{base, std::move(live)})}};
  return config;
}

constexpr NodeId kFirst = {1};
constexpr NodeId kSecond = {2};

ClusterFacts Facts() {
  ClusterFacts facts;
  facts.cluster = "home";
  facts.era = 3;
  facts.born = 900;
  facts.service_addresses = {*ParseIp("192.0.2.50"), *ParseIp("2001:db8::50")};
  facts.nodes = {{.id = kFirst,
                  .name = "n1",
                  .role = NodeRole::kMaster,
                  .addresses = {*ParseIp("192.0.2.11")},
                  .age = 4,
                  .alive = true,
                  .booted = 950},
                 {.id = kSecond,
                  .name = "n2",
                  .role = NodeRole::kDeputy,
                  .addresses = {*ParseIp("192.0.2.12")},
                  .age = 1,
                  .alive = true,
                  .booted = 990}};
  facts.services = {
      {.name = "web", .protocol = 6, .port = 80, .addresses = facts.service_addresses, .healthy = {kFirst, kSecond}}};
  return facts;
}

// The rdata of the answer from all zones, or "SERVFAIL" or "NXDOMAIN".
std::vector<std::string> Ask(const LiveNames& names, std::string_view name, uint16_t type) {
  std::vector<std::shared_ptr<const DnsZone>> zones = names.own;
  for (const auto& [plan, zone] : names.zones) zones.push_back(zone);
  const DnsZones all(zones);
  const DnsZone* const zone = all.Find(DnsNameBuffer(std::string_view(Wire(name))).view());
  if (zone == nullptr) return {"REFUSED"};
  if (zone->Lookup(DnsNameBuffer(std::string_view(Wire(name))).view(), type).outcome == DnsZone::Outcome::kFailure) {
    return {"SERVFAIL"};
  }
  const auto answer = AskZone(*zone, Wire(name), type);
  if (!answer) return {"unreadable"};
  if (answer->outcome == DnsZone::Outcome::kNxDomain) return {"NXDOMAIN"};
  std::vector<std::string> rdata;
  if (answer->outcome == DnsZone::Outcome::kAnswer) {
    for (const auto& record : answer->records) rdata.push_back(record.rdata);
  }
  return rdata;
}

std::string V4(std::string_view text) {
  const Ipv4Address address = ParseIp(text)->v4();
  return {address.bytes.begin(), address.bytes.end()};
}

using From = LiveRecord::From;

TEST(LiveZones, UnknownAddressesGiveServfail) {
  LiveZones zones(0);
  zones.Configure(ConfigWith({Live("live.test", From::kServiceAddresses), Live("p.live.test", From::kPublic)}));
  const auto names = zones.Make(1000);
  ASSERT_NE(names, nullptr);
  EXPECT_THAT(Ask(*names, "live.test", kDnsTypeA), ElementsAre("SERVFAIL"));
  EXPECT_THAT(Ask(*names, "p.live.test", kDnsTypeA), ElementsAre("SERVFAIL"));
  EXPECT_THAT(names->own, IsEmpty());
}

TEST(LiveZones, ATtlAboveTheRecordsOwnDoesNotChangeTheZone) {
  LiveZones zones(0);
  zones.Configure(ConfigWith({Live("live.test", From::kAlias, Wire("cdn.test"))}));
  LiveAddresses addresses = {.known = true, .addresses = {*ParseIp("203.0.113.1")}, .ttl = 100};
  zones.OnAliases({{Wire("cdn.test"), addresses}});
  EXPECT_NE(zones.Make(1000), nullptr);
  addresses.ttl = 90;
  zones.OnAliases({{Wire("cdn.test"), addresses}});
  EXPECT_EQ(zones.Make(1000), nullptr);
  addresses.ttl = 20;
  zones.OnAliases({{Wire("cdn.test"), addresses}});
  EXPECT_NE(zones.Make(1000), nullptr);
}

TEST(LiveZones, TheClientsAddressIsPartOfTheClustersNames) {
  LiveZones zones(0);
  ClusterConfig config = ConfigWith({Live("live.test", From::kThisNode)});
  config.dns.local_names = true;
  zones.Configure(config);
  zones.OnFacts(Facts());
  EXPECT_TRUE(zones.Make(1000)->echo);
  DnsZoneBuilder own(Wire("localcluster"), 0);
  own.Add({Wire("localcluster"), kDnsTypeSoa, 60, Wire("live.test") + Wire("live.test") + std::string(20, '\1')});
  config.zones.push_back({.file = {}, .zone = std::make_shared<const DnsZone>(own.Build()), .live = nullptr});
  zones.Configure(config);
  EXPECT_FALSE(zones.Make(1001)->echo);
}

TEST(LiveZones, NamesFollowTheCluster) {
  LiveZones zones(0);
  zones.Configure(
      ConfigWith({Live("live.test", From::kServiceAddresses), Live("me.live.test", From::kThisNode),
                  Live("web.live.test", From::kHealthy, "web"), Live("none.live.test", From::kHealthy, "mail")}));
  ClusterFacts facts = Facts();
  zones.OnFacts(facts);
  auto names = zones.Make(1000);
  ASSERT_NE(names, nullptr);
  EXPECT_THAT(Ask(*names, "live.test", kDnsTypeA), ElementsAre(V4("192.0.2.50")));
  EXPECT_THAT(Ask(*names, "me.live.test", kDnsTypeA), ElementsAre(V4("192.0.2.11")));
  EXPECT_THAT(Ask(*names, "me.live.test", kDnsTypeAaaa), IsEmpty());  // the name exists, but has no such address
  EXPECT_THAT(Ask(*names, "web.live.test", kDnsTypeA), UnorderedElementsAre(V4("192.0.2.11"), V4("192.0.2.12")));
  EXPECT_THAT(Ask(*names, "none.live.test", kDnsTypeA), ElementsAre("SERVFAIL"));
  EXPECT_THAT(Ask(*names, "other.live.test", kDnsTypeA), ElementsAre("NXDOMAIN"));

  facts.services[0].healthy = {kSecond};
  zones.OnFacts(facts);
  names = zones.Make(1001);
  ASSERT_NE(names, nullptr);
  EXPECT_THAT(Ask(*names, "web.live.test", kDnsTypeA), ElementsAre(V4("192.0.2.12")));
}

TEST(LiveZones, AnAliasHasTheAddressesAndTheShorterTtlOfItsTarget) {
  LiveZones zones(0);
  zones.Configure(ConfigWith({Live("live.test", From::kAlias, Wire("cdn.test"))}));
  EXPECT_THAT(zones.targets(), ElementsAre(Wire("cdn.test")));
  zones.OnAliases({{Wire("cdn.test"), {.known = true, .addresses = {*ParseIp("192.0.2.7")}, .ttl = 9}}});
  const auto names = zones.Make(1000);
  const auto answer = AskZone(*names->zones.begin()->second, Wire("live.test"), kDnsTypeA);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->records.size(), 1u);
  EXPECT_EQ(answer->records[0].ttl, 9u);
  EXPECT_EQ(answer->records[0].rdata, V4("192.0.2.7"));
  zones.OnAliases({{Wire("cdn.test"), {}}});
  EXPECT_THAT(Ask(*zones.Make(1001), "live.test", kDnsTypeA), ElementsAre("SERVFAIL"));
}

TEST(LiveZones, NothingIsBuiltTwice) {
  LiveZones zones(0);
  const ClusterConfig config = ConfigWith({Live("live.test", From::kServiceAddresses)});
  zones.Configure(config);
  zones.OnFacts(Facts());
  const auto first = zones.Make(1000);
  EXPECT_EQ(zones.Make(1001), nullptr);
  const auto later = zones.Make(1000 + LiveZones::kUptimeStep);
  ASSERT_NE(later, nullptr);
  EXPECT_EQ(later->zones.begin()->second, first->zones.begin()->second);  // only the cluster's records include the time
  zones.Configure(config);
  const auto again = zones.Make(1000 + LiveZones::kUptimeStep);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->zones.begin()->second, first->zones.begin()->second);
}

TEST(LiveZones, AConfiguredZoneTakesPrecedenceOverTheClustersNames) {
  DnsZoneBuilder own(Wire("localcluster"), 0);
  own.Add({Wire("localcluster"), kDnsTypeSoa, 60, Wire("x.test") + Wire("x.test") + std::string(20, '\1')});
  ClusterConfig config;
  config.zones = {{.file = {}, .zone = std::make_shared<const DnsZone>(own.Build()), .live = nullptr}};
  LiveZones zones(0);
  zones.Configure(config);
  zones.OnFacts(Facts());
  const auto names = zones.Make(1000);
  EXPECT_THAT(Ask(*names, "n1.localcluster", kDnsTypeA), ElementsAre("REFUSED"));
  EXPECT_TRUE(zones.IsOurs(Wire("n1.localcluster")));  // by the configuration
  EXPECT_FALSE(zones.IsOurs(Wire("cdn.test")));
}

TEST(ClusterZone, HasNodesServicesAndReverseNames) {
  ClusterConfig config;
  config.dns.local_names = true;
  LiveZones zones(0);
  zones.Configure(config);
  ClusterFacts facts = Facts();
  zones.OnFacts(facts);
  auto names = zones.Make(1000);
  ASSERT_NE(names, nullptr);
  EXPECT_TRUE(names->echo);
  EXPECT_THAT(Ask(*names, "home.localcluster", kDnsTypeA), ElementsAre(V4("192.0.2.50")));
  EXPECT_THAT(Ask(*names, "home.localcluster", kDnsTypeTxt),
              ElementsAre(std::string("\5era=3\12uptime=100\11master=n1\7nodes=2")));
  EXPECT_THAT(Ask(*names, "n2.localcluster", kDnsTypeA), ElementsAre(V4("192.0.2.12")));
  EXPECT_THAT(Ask(*names, "n2.localcluster", kDnsTypeTxt),
              ElementsAre(std::string("\43id=02000000000000000000000000000000\13role=deputy\5age=1\11uptime=10")));
  EXPECT_THAT(Ask(*names, "nodes.web.service.localcluster", kDnsTypeA),
              UnorderedElementsAre(V4("192.0.2.11"), V4("192.0.2.12")));
  const auto srv = AskZone(*names->own.front(), Wire("_web._tcp.localcluster"), kDnsTypeSrv);
  ASSERT_TRUE(srv);
  ASSERT_EQ(srv->records.size(), 1u);
  EXPECT_EQ(srv->records[0].rdata, std::string("\0\0\0\0\0\120", 6) + " web.service.localcluster. ");
  EXPECT_EQ(srv->additional.size(), 2u);
  EXPECT_THAT(Ask(*names, "12.2.0.192.in-addr.arpa", kDnsTypePtr), ElementsAre(" n2.localcluster. "));
  EXPECT_THAT(Ask(*names, "50.2.0.192.in-addr.arpa", kDnsTypePtr), ElementsAre(" home.localcluster. "));
  EXPECT_THAT(Ask(*names, "13.2.0.192.in-addr.arpa", kDnsTypePtr), ElementsAre("REFUSED"));
  const std::string reverse6 = "0.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
  EXPECT_THAT(Ask(*names, reverse6, kDnsTypePtr), ElementsAre(" home.localcluster. "));

  facts.nodes[1].alive = false;
  zones.OnFacts(facts);
  names = zones.Make(1001);
  EXPECT_THAT(Ask(*names, "n2.localcluster", kDnsTypeA), IsEmpty());
  EXPECT_THAT(Ask(*names, "12.2.0.192.in-addr.arpa", kDnsTypePtr), ElementsAre("REFUSED"));
}

std::string V6(std::string_view text) {
  const Ipv6Address address = ParseIp(text)->v6();
  return {address.bytes.begin(), address.bytes.end()};
}

// One node with IPv6 only, one without any address of its own.
TEST(FieldA5, NamesOfNodesHaveTheAddressesOfTheirInterfaces) {
  ClusterConfig config =
      ConfigWith({Live("me.live.test", From::kThisNode), Live("w.live.test", From::kHealthy, "web")});
  config.dns.local_names = true;
  LiveZones zones(0);
  zones.Configure(config);
  ClusterFacts facts = Facts();
  facts.nodes[0].addresses = {*ParseIp("2001:db8::11")};
  facts.nodes[1].addresses = {};
  zones.OnFacts(facts);
  const auto names = zones.Make(1000);
  for (const std::string_view name :
       {"me.live.test", "w.live.test", "n1.localcluster", "nodes.web.service.localcluster"}) {
    EXPECT_THAT(Ask(*names, name, kDnsTypeA), IsEmpty()) << name;
    EXPECT_THAT(Ask(*names, name, kDnsTypeAaaa), ElementsAre(V6("2001:db8::11"))) << name;
  }
  EXPECT_THAT(Ask(*names, "n2.localcluster", kDnsTypeA), IsEmpty());
  EXPECT_THAT(Ask(*names, "n2.localcluster", kDnsTypeAaaa), IsEmpty());
  const std::string reverse6 = "1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
  EXPECT_THAT(Ask(*names, reverse6, kDnsTypePtr), ElementsAre(" n1.localcluster. "));

  std::swap(facts.nodes[0].addresses, facts.nodes[1].addresses);
  zones.OnFacts(facts);
  EXPECT_THAT(Ask(*zones.Make(1001), "me.live.test", kDnsTypeA), IsEmpty()) << "it is certain that there is none";
}

TEST(ClusterZone, NodesDoNotTakeTheClustersNames) {
  ClusterConfig config;
  config.dns.local_names = true;
  LiveZones zones(0);
  zones.Configure(config);
  ClusterFacts facts = Facts();
  facts.nodes[0].name = "home";
  facts.nodes[1].name = "service";
  zones.OnFacts(facts);
  const auto names = zones.Make(1000);
  EXPECT_THAT(Ask(*names, "home.localcluster", kDnsTypeA), ElementsAre(V4("192.0.2.50")));
  EXPECT_THAT(Ask(*names, "service.localcluster", kDnsTypeTxt), IsEmpty());
}

}  // namespace
}  // namespace qure::test
