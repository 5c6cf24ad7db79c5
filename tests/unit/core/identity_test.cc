#include "control/core/cluster/identity.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/core/support.h"

namespace qure::test {
namespace {

// Unicast, locally administered, AAI quadrant (IEEE 802c).
bool IsAai(const MacAddress& mac) {
  return (mac.bytes[0] & 0x0f) == 0x02;
}

TEST(Identity, ClusterIdFollowsTheName) {
  EXPECT_EQ(ClusterIdFromName("home"), ClusterIdFromName("home"));
  EXPECT_NE(ClusterIdFromName("home"), ClusterIdFromName("shop"));
  EXPECT_NE(ClusterIdFromName(""), ClusterId{});
}

// Nodes of different versions must agree on these, or a takeover would move the gateway's ARP entry. Computed apart
// from this code, with BLAKE2b of Python's hashlib.
TEST(Identity, DerivationDoesNotChange) {
  const ClusterId cluster = ClusterIdFromName("home");
  EXPECT_EQ(ToHex(cluster), "b58de8da01c8a78d928e910210d97bfa");
  EXPECT_EQ(ToString(ServiceMacFor(cluster, Ip("198.51.100.50"))), "12:79:7a:98:24:95");
  EXPECT_EQ(ToString(ServiceMacFor(cluster, Ip("2001:db8:2::50"))), "12:29:59:63:8a:1f");
  EXPECT_EQ(ToString(NodeMac({1, 2, 3}, 0)), "e2:6d:40:b9:8a:e4");
  EXPECT_EQ(ToString(GroupFor(cluster)), "239.192.240.66");
  EXPECT_EQ(ToString(LinkLocalFor({1, 2, 3})), "169.254.75.39");
}

TEST(Identity, GroupsAndLinkLocalAddressesStayInTheirRanges) {
  const IpPrefix organization = Prefix("239.192.0.0/14");
  const IpPrefix link_local = Prefix("169.254.0.0/16");
  std::set<Ipv4Address> groups, addresses;
  for (int i = 0; i < 5000; ++i) {
    const NodeId id{static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)};
    const Ipv4Address group = GroupFor(id);
    EXPECT_TRUE(Contains(organization, group)) << ToString(group);
    EXPECT_FALSE(Contains(Prefix("239.195.255.0/24"), group));  // relative assignments (RFC 2365 §9)
    const Ipv4Address address = LinkLocalFor(id);
    EXPECT_TRUE(Contains(link_local, address)) << ToString(address);
    EXPECT_TRUE(address.bytes[2] != 0 && address.bytes[2] != 255) << ToString(address);  // RFC 3927 §2.1
    groups.insert(group);
    addresses.insert(address);
  }
  EXPECT_GT(groups.size(), 4900u);
  EXPECT_GT(addresses.size(), 4700u);
}

TEST(Identity, ServiceMacsDifferByClusterAndAddress) {
  std::set<MacAddress> macs;
  size_t count = 0;
  for (const std::string_view cluster : {"a", "b", "c"}) {
    for (const std::string_view ip : {"198.51.100.50", "198.51.100.51", "2001:db8:2::50", "c633:6432::", "::"}) {
      const MacAddress mac = ServiceMacFor(ClusterIdFromName(cluster), Ip(ip));
      EXPECT_TRUE(IsAai(mac)) << ToString(mac);
      macs.insert(mac);
      ++count;
    }
  }
  EXPECT_EQ(macs.size(), count);
}

TEST(Identity, NodeMacsOfBothHopsDifferInTheLastBitOnly) {
  for (uint8_t i = 0; i < 64; ++i) {
    const NodeId id{i};
    const MacAddress hop0 = NodeMac(id, 0);
    MacAddress hop1 = NodeMac(id, 1);
    EXPECT_TRUE(IsAai(hop0)) << ToString(hop0);
    EXPECT_EQ(hop0.bytes[5] & 1, 0);
    EXPECT_EQ(hop1.bytes[5] & 1, 1);
    hop1.bytes[5] ^= 1;
    EXPECT_EQ(hop0, hop1);
  }
}

TEST(Identity, KindsOfMacDoNotMeet) {
  const NodeId bytes{9, 9, 9};
  EXPECT_NE(NodeMac(bytes, 0), ServiceMacFor(bytes, IpAddress()));
  EXPECT_NE(NodeMac({1}, 0), NodeMac({2}, 0));
}

TEST(Identity, HexIsLowerCaseAndWhole) {
  EXPECT_EQ(ToHex({0x00, 0x01, 0x0a, 0xff, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 0, 0, 0, 0, 0x10}),
            "00010affdeadbeef0000000000000010");
}

}  // namespace
}  // namespace qure::test
