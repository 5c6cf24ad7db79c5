#include "control/core/naming.h"

#include <gtest/gtest.h>

#include "proto/dns/zone_builder.h"

namespace qure {
namespace {

std::string Wire(std::string_view name) {
  return DnsNameToWire(name).value();
}

ZoneConfig MakeZone(std::string_view apex) {
  DnsZoneBuilder builder(Wire(apex), 0);
  builder.Add({Wire(apex), kDnsTypeSoa, 60, Wire("ns1.example") + Wire("hostmaster.example") + std::string(20, '\1')});
  return {.file = {}, .zone = std::make_shared<const DnsZone>(builder.Build())};
}

// A node that serves these zones.
std::shared_ptr<const DnsAuthority> Build(std::vector<ZoneConfig> zones, const LiveNames* live = nullptr) {
  ClusterConfig config;
  config.zones = std::move(zones);
  NodeFacts facts;
  facts.name = "n1";
  return BuildDnsAuthority(config, facts, live, {DnsCookieSecret{7}});
}

TEST(Naming, NoZonesNoAuthority) {
  EXPECT_EQ(Build({}), nullptr);
}

TEST(Naming, EveryZoneIsServed) {
  const auto authority = Build({MakeZone("home.example"), MakeZone("shop.example")});
  ASSERT_NE(authority, nullptr);
  const auto zone_of = [&](std::string_view name) { return authority->zones.Find(DnsNameBuffer(Wire(name)).view()); };
  ASSERT_NE(zone_of("www.home.example"), nullptr);
  EXPECT_EQ(zone_of("www.home.example")->apex(), Wire("home.example"));
  ASSERT_NE(zone_of("shop.example"), nullptr);
  EXPECT_EQ(zone_of("shop.example")->apex(), Wire("shop.example"));
  EXPECT_EQ(zone_of("www.elsewhere.example"), nullptr);
}

// Until the names' thread has filled in what a reload brought.
TEST(Naming, AfterAReloadAZoneGoesOnAsItWas) {
  const auto with_live_names = [] {
    ZoneConfig zone = MakeZone("home.example");
    zone.live = std::make_shared<const LiveZone>(LiveZone{DnsZoneBuilder(Wire("home.example"), 0), {}});
    return zone;
  };
  const auto served = [](const ZoneConfig& zone, const LiveNames& live) {
    return Build({zone}, &live)->zones.Find(DnsNameBuffer(Wire("home.example")).view());
  };
  const ZoneConfig before = with_live_names();
  const ZoneConfig reloaded = with_live_names();
  const auto filled = MakeZone("home.example").zone;
  LiveNames live;
  EXPECT_EQ(served(before, live), before.zone.get());
  live.zones = {{before.live, filled}};
  EXPECT_EQ(served(before, live), filled.get());
  EXPECT_EQ(served(reloaded, live), filled.get());
  const auto anew = MakeZone("home.example").zone;
  live.zones = {{reloaded.live, anew}};
  EXPECT_EQ(served(reloaded, live), anew.get());
  EXPECT_EQ(served(MakeZone("home.example"), live)->apex(), Wire("home.example"));
}

TEST(Naming, HostsOfTheLan) {
  ClusterConfig config;
  config.addresses = {{.candidates = {*ParsePrefix("198.51.100.50/24"), *ParsePrefix("192.0.2.50/25")}},
                      {.candidates = {*ParsePrefix("2001:db8:2::50/64")}}};
  config.gateways = {*ParseIp("198.51.100.1")};
  const LanHosts lan = LanHostsOf(config, {*ParsePrefix("203.0.113.11/28")});
  for (const char* host : {"198.51.100.77", "192.0.2.1", "2001:db8:2::1", "203.0.113.1", "fe80::1", "127.0.0.1"}) {
    EXPECT_TRUE(lan.Contain(*ParseIp(host))) << host;
  }
  for (const char* other : {"198.51.100.1", "192.0.2.128", "2001:db8:3::1", "203.0.113.16"}) {
    EXPECT_FALSE(lan.Contain(*ParseIp(other))) << other;
  }
}

TEST(FieldE3, OnlyANamedGatewayMayAskForNamesOfOthers) {
  ClusterConfig config;
  config.zones = {MakeZone("home.example")};
  config.addresses = {{.candidates = {*ParsePrefix("198.51.100.50/24")}}};
  config.gateways = {*ParseIp("198.51.100.1")};
  const IpAddress gateway = config.gateways[0];
  NodeFacts facts;
  facts.addresses = {*ParsePrefix("203.0.113.11/28")};
  const auto made = [&] { return BuildDnsAuthority(config, facts, nullptr, {}); };
  EXPECT_TRUE(made()->recursion.Contain(*ParseIp("198.51.100.77")));
  EXPECT_TRUE(made()->recursion.Contain(*ParseIp("203.0.113.1")));
  EXPECT_TRUE(made()->recursion.IsGateway(gateway));
  config.resolver.clients = {*ParsePrefix("198.51.0.0/16")};
  EXPECT_FALSE(made()->recursion.Contain(*ParseIp("203.0.113.1")));
  EXPECT_TRUE(made()->recursion.IsGateway(gateway));
  config.resolver.clients.push_back(*ParsePrefix("198.51.100.1/32"));
  EXPECT_TRUE(made()->recursion.Contain(gateway));
  EXPECT_TRUE(made()->lan.Contain(gateway));
}

TEST(Naming, TheServerTellsWhoItIs) {
  const auto authority = Build({MakeZone("home.example")});
  EXPECT_EQ(authority->nsid, "n1");
  EXPECT_EQ(authority->cookie_secrets, std::vector<DnsCookieSecret>{DnsCookieSecret{7}});
  for (const char* name : {"id.server", "hostname.bind", "version.server", "version.bind"}) {
    const DnsNameBuffer asked(Wire(name));
    const DnsZone* const zone = authority->about.Find(asked.view());
    ASSERT_NE(zone, nullptr) << name;
    EXPECT_EQ(zone->Lookup(asked.view(), kDnsTypeTxt).outcome, DnsZone::Outcome::kAnswer) << name;
  }
}

}  // namespace
}  // namespace qure
