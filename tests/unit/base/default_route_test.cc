#include "control/base/default_route.h"

#include <gtest/gtest.h>

#include <optional>
#include <sstream>
#include <string>

namespace qure {
namespace {

constexpr char kHead[] = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

std::optional<DefaultRoute> Find(const std::string& lines) {
  std::istringstream table(kHead + lines);
  return FindDefaultRoute(table);
}

TEST(DefaultRouteTest, IsTheFirstThatLeadsEverywhere) {
  const auto route = Find(
      "eth0\t006433C6\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
      "eth1\t00000000\t016433C6\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
      "eth2\t00000000\t0100000A\t0003\t0\t0\t200\t00000000\t0\t0\t0\n");
  ASSERT_TRUE(route);
  EXPECT_EQ(route->interface, "eth1");
  EXPECT_EQ(route->gateway, (Ipv4Address{{198, 51, 100, 1}}));
}

TEST(DefaultRouteTest, MayHaveNoGateway) {
  const auto route = Find("ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n");
  ASSERT_TRUE(route);
  EXPECT_TRUE(route->gateway.is_zero());
}

TEST(DefaultRouteTest, ThereMayBeNone) {
  EXPECT_FALSE(Find(""));
  EXPECT_FALSE(Find("eth0\t00000000\t016433C6\t0003\t0\t0\t0\t00000080\t0\t0\t0\n")) << "0.0.0.0/1 is half of it";
  EXPECT_FALSE(Find("eth0\tnonsense\n"));
}

}  // namespace
}  // namespace qure
