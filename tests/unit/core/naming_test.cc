#include "control/core/naming.h"

#include <gtest/gtest.h>

#include "proto/dns_zone_builder.h"

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

TEST(Naming, NoZonesNoAuthority) {
  EXPECT_EQ(BuildDnsAuthority({}), nullptr);
}

TEST(Naming, EveryZoneIsServed) {
  const auto authority = BuildDnsAuthority({MakeZone("home.example"), MakeZone("shop.example")});
  ASSERT_NE(authority, nullptr);
  const auto zone_of = [&](std::string_view name) { return authority->zones.Find(DnsNameBuffer(Wire(name)).view()); };
  ASSERT_NE(zone_of("www.home.example"), nullptr);
  EXPECT_EQ(zone_of("www.home.example")->apex(), Wire("home.example"));
  ASSERT_NE(zone_of("shop.example"), nullptr);
  EXPECT_EQ(zone_of("shop.example")->apex(), Wire("shop.example"));
  EXPECT_EQ(zone_of("www.elsewhere.example"), nullptr);
}

}  // namespace
}  // namespace qure
