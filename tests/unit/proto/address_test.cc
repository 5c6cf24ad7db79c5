#include "proto/net/address.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/proto/wire.h"

namespace qure {
namespace {

TEST(MacText, ParsesAndPrints) {
  const auto mac = ParseMac("02:aB:00:10:fF:07");
  ASSERT_TRUE(mac);
  EXPECT_EQ(mac->bytes, (std::array<uint8_t, 6>{0x02, 0xab, 0x00, 0x10, 0xff, 0x07}));
  EXPECT_EQ(ToString(*mac), "02:ab:00:10:ff:07");
}

TEST(MacText, RefusesAnythingElse) {
  for (const char* text :
       {"", "02:ab:00:10:ff", "02:ab:00:10:ff:0", "02:ab:00:10:ff:077", "02-ab-00-10-ff-07", "02:ab:00:10:ff:0g",
        "02:ab:00:10:f:f07", "2:ab:00:10:ff:07x", " 2:ab:00:10:ff:07", "-2:ab:00:10:ff:07", "0x:ab:00:10:ff:07"}) {
    EXPECT_FALSE(ParseMac(text)) << text;
  }
}

TEST(MacProperties, GroupAndZero) {
  EXPECT_TRUE(kBroadcastMac.is_multicast());
  EXPECT_TRUE(Mac("01:00:5e:00:00:01").is_multicast());
  EXPECT_FALSE(Mac("02:00:5e:00:00:01").is_multicast());
  EXPECT_TRUE(MacAddress{}.is_zero());
  EXPECT_FALSE(Mac("00:00:00:00:00:01").is_zero());
}

TEST(IpText, V4) {
  const auto ip = ParseIp("198.51.100.50");
  ASSERT_TRUE(ip);
  EXPECT_TRUE(ip->is_v4());
  EXPECT_EQ(ip->v4().bytes, (std::array<uint8_t, 4>{198, 51, 100, 50}));
  EXPECT_EQ(ToString(*ip), "198.51.100.50");
  EXPECT_EQ(ToString(IpAddress()), "0.0.0.0");
}

// RFC 5952 §4 and §5: leading zeros, the longest run of zeros, the first of two, never a single one, lower case.
TEST(IpText, V6CanonicalForm) {
  constexpr std::pair<const char*, const char*> kForms[] = {
      {"2001:db8:0:0:0:0:0:1", "2001:db8::1"},
      {"2001:0db8::0001", "2001:db8::1"},
      {"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
      {"2001:DB8:AAAA:BBBB:CCCC:DDDD:EEEE:AAAA", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa"},
      {"::ffff:192.0.2.1", "::ffff:192.0.2.1"},
      {"0:0:0:0:0:0:0:0", "::"},
      {"0:0:0:0:0:0:0:1", "::1"},
  };
  for (const auto& [text, canonical] : kForms) {
    const auto ip = ParseIp(text);
    ASSERT_TRUE(ip) << text;
    EXPECT_TRUE(ip->is_v6()) << text;
    EXPECT_EQ(ToString(*ip), canonical);
  }
}

TEST(IpText, RefusesAnythingElse) {
  for (const std::string_view text :
       {std::string_view(""), std::string_view("1.2.3"), std::string_view("1.2.3.4.5"), std::string_view("1.2.3.256"),
        std::string_view("1.2.3.04"), std::string_view(" 1.2.3.4"), std::string_view("1.2.3.4 "),
        std::string_view("1.2.3.4/8"), std::string_view("1.2.3.4\0", 8), std::string_view(":::"),
        std::string_view("1::2::3"), std::string_view("12345::"), std::string_view("fe80::1%eth0"),
        std::string_view("1:2:3:4:5:6:7:8:9"), std::string_view("[::1]"),
        std::string_view("0000:0000:0000:0000:0000:0000:0000:0000:0000:0000")}) {
    EXPECT_FALSE(ParseIp(text)) << text;
  }
}

TEST(IpText, RoundTripOfRandomAddresses) {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    Ipv6Address v6;
    for (uint8_t& byte : v6.bytes) byte = static_cast<uint8_t>((random() & 1) != 0 ? random() : 0);
    EXPECT_EQ(ParseIp(ToString(IpAddress(v6))), IpAddress(v6));
    Ipv4Address v4;
    for (uint8_t& byte : v4.bytes) byte = static_cast<uint8_t>(random());
    EXPECT_EQ(ParseIp(ToString(IpAddress(v4))), IpAddress(v4));
  }
}

TEST(IpProperties, Classes) {
  EXPECT_TRUE(V4("224.0.0.1").is_multicast());
  EXPECT_TRUE(V4("239.255.255.255").is_multicast());
  EXPECT_FALSE(V4("240.0.0.1").is_multicast());
  EXPECT_TRUE(V4("127.9.9.9").is_loopback());
  EXPECT_TRUE(V6("ff02::1").is_multicast());
  EXPECT_TRUE(V6("fe80::1").is_link_local());
  EXPECT_TRUE(V6("febf::1").is_link_local());
  EXPECT_FALSE(V6("fec0::1").is_link_local());
  EXPECT_NE(IpAddress(V4("0.0.0.0")), IpAddress(V6("::")));
}

TEST(Prefix, TextAndRange) {
  const auto prefix = ParsePrefix("198.51.100.50/24");
  ASSERT_TRUE(prefix);
  EXPECT_EQ(prefix->address, IpAddress(V4("198.51.100.50")));
  EXPECT_EQ(prefix->length, 24);
  EXPECT_EQ(ToString(*prefix), "198.51.100.50/24");
  EXPECT_TRUE(ParsePrefix("0.0.0.0/0"));
  EXPECT_TRUE(ParsePrefix("::/128"));
  for (const char* text :
       {"198.51.100.50", "198.51.100.50/", "198.51.100.50/33", "198.51.100.50/-1", "198.51.100.50/2x", "2001:db8::/129",
        "2001:db8::/256", "/24", "198.51.100.50/24/1", "198.51.100.50/ 24"}) {
    EXPECT_FALSE(ParsePrefix(text)) << text;
  }
}

TEST(Prefix, NetworkAndContains) {
  const auto network = [](const char* text) { return ToString(NetworkOf(*ParsePrefix(text))); };
  EXPECT_EQ(network("198.51.100.50/24"), "198.51.100.0/24");
  EXPECT_EQ(network("198.51.100.50/27"), "198.51.100.32/27");
  EXPECT_EQ(network("198.51.100.50/32"), "198.51.100.50/32");
  EXPECT_EQ(network("198.51.100.50/0"), "0.0.0.0/0");
  EXPECT_EQ(network("2001:db8:2:ffff::50/49"), "2001:db8:2:8000::/49");
  EXPECT_EQ(network("2001:db8:2::50/128"), "2001:db8:2::50/128");

  const auto contains = [](const char* prefix, const char* ip) { return Contains(*ParsePrefix(prefix), *ParseIp(ip)); };
  EXPECT_TRUE(contains("198.51.100.50/24", "198.51.100.1"));
  EXPECT_FALSE(contains("198.51.100.50/24", "198.51.101.1"));
  EXPECT_TRUE(contains("198.51.100.50/32", "198.51.100.50"));
  EXPECT_FALSE(contains("198.51.100.50/32", "198.51.100.51"));
  EXPECT_TRUE(contains("0.0.0.0/0", "203.0.113.9"));
  EXPECT_FALSE(contains("0.0.0.0/0", "::"));
  EXPECT_TRUE(contains("2001:db8:2::/64", "2001:db8:2::ffff"));
  EXPECT_FALSE(contains("2001:db8:2::/64", "2001:db8:2:1::"));
  EXPECT_TRUE(contains("fe80::/10", "febf::1"));
}

TEST(DerivedAddresses, FollowTheirRfcs) {
  // RFC 4291 §2.7.1's own example.
  EXPECT_EQ(SolicitedNode(V6("4037::01:800:200e:8c6c")), V6("ff02::1:ff0e:8c6c"));
  EXPECT_EQ(MulticastMac(V6("ff02::1:ff0e:8c6c")), Mac("33:33:ff:0e:8c:6c"));
  // RFC 4291 appendix A: the universal/local bit is inverted, both ways.
  EXPECT_EQ(LinkLocalFromMac(Mac("34:56:78:9a:bc:de")), V6("fe80::3656:78ff:fe9a:bcde"));
  EXPECT_EQ(LinkLocalFromMac(Mac("02:00:00:00:00:01")), V6("fe80::ff:fe00:1"));
}

}  // namespace
}  // namespace qure
