#include "control/core/naming.h"

#include <gtest/gtest.h>

#include "proto/dns.h"

namespace qure {
namespace {

std::string Wire(std::string_view name) {
  return DnsNameToWire(name).value();
}

ConstBytes AsBytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

ZoneConfig MakeZone(std::string_view apex, std::string_view host) {
  // MNAME, RNAME, serial, refresh, retry, expire, minimum
  const std::string soa = Wire("ns1.example") + Wire("hostmaster.example") + std::string(20, '\1');
  return {.apex = Wire(apex),
          .ttl = 60,
          .soa = soa,
          .records = {{.name = Wire(host), .type = kDnsTypeA, .ttl = 60, .rdata = std::string("\xc6\x33\x64\x32", 4)}}};
}

DnsTable::Outcome Ask(const DnsTable& table, std::string_view name, uint16_t type) {
  const std::string wire = Wire(name);
  return table.Lookup(AsBytes(wire), type).outcome;
}

TEST(Naming, NoZonesNoTable) {
  EXPECT_EQ(BuildDnsTable({}), nullptr);
}

TEST(Naming, EveryZoneAndRecordIsInTheTable) {
  const auto table =
      BuildDnsTable({MakeZone("home.example", "www.home.example"), MakeZone("shop.example", "till.shop.example")});
  ASSERT_NE(table, nullptr);
  EXPECT_EQ(Ask(*table, "www.home.example", kDnsTypeA), DnsTable::Outcome::kAnswer);
  EXPECT_EQ(Ask(*table, "till.shop.example", kDnsTypeA), DnsTable::Outcome::kAnswer);
  EXPECT_EQ(Ask(*table, "home.example", kDnsTypeSoa), DnsTable::Outcome::kAnswer);
  EXPECT_EQ(Ask(*table, "www.home.example", kDnsTypeAaaa), DnsTable::Outcome::kNoData);
  EXPECT_EQ(Ask(*table, "www.shop.example", kDnsTypeA), DnsTable::Outcome::kNxDomain);
  EXPECT_EQ(Ask(*table, "www.elsewhere.example", kDnsTypeA), DnsTable::Outcome::kNotOurs);
}

}  // namespace
}  // namespace qure
