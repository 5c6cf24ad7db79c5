#include "proto/net/lan_hosts.h"

#include <gtest/gtest.h>

#include "tests/unit/proto/wire.h"

namespace qure {
namespace {

IpAddress Ip(const char* text) {
  return *ParseIp(text);
}
IpPrefix Prefix(const char* text) {
  return *ParsePrefix(text);
}

TEST(FieldE3, AGatewayIsNoHostOfTheLan) {
  const LanHosts lan({Prefix("198.51.100.0/24"), Prefix("2001:db8:2::/64")}, {Ip("198.51.100.1"), Ip("2001:db8:2::1")});
  for (const char* host : {"198.51.100.77", "198.51.100.2", "2001:db8:2::77"}) {
    EXPECT_TRUE(lan.Contain(Ip(host))) << host;
    EXPECT_FALSE(lan.IsGateway(Ip(host))) << host;
  }
  for (const char* gateway : {"198.51.100.1", "2001:db8:2::1"}) {
    EXPECT_FALSE(lan.Contain(Ip(gateway))) << gateway;
    EXPECT_TRUE(lan.IsGateway(Ip(gateway))) << gateway;
  }
  EXPECT_FALSE(lan.Contain(Ip("203.0.113.7")));
  EXPECT_FALSE(lan.IsGateway(Ip("203.0.113.7")));
}

TEST(FieldE3, UnlessItIsNamedAlone) {
  const LanHosts lan({Prefix("198.51.100.0/24"), Prefix("198.51.100.1/32")}, {Ip("198.51.100.1")});
  EXPECT_TRUE(lan.Contain(Ip("198.51.100.1")));
  EXPECT_FALSE(lan.IsGateway(Ip("198.51.100.1")));
}

TEST(FieldE3, AGatewayElsewhereIsJustAStranger) {
  const LanHosts lan({Prefix("198.51.100.0/24")}, {Ip("192.0.2.1")});
  EXPECT_FALSE(lan.Contain(Ip("192.0.2.1")));
  EXPECT_FALSE(lan.IsGateway(Ip("192.0.2.1")));
}

TEST(LanHosts, WithoutNetworksThereAreNone) {
  EXPECT_FALSE(LanHosts().Contain(Ip("127.0.0.1")));
}

}  // namespace
}  // namespace qure
