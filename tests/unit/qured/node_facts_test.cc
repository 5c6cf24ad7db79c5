#include "control/qured/node_facts.h"

#include <gtest/gtest.h>

#include "control/base/version.h"

namespace qure {
namespace {

TEST(GatherFacts, JoinsConfigurationStoreAndPort) {
  NodeConfig config;
  config.name = "n1";
  config.vlan = 7;
  config.priority = 3;
  config.weight = 9;
  StoredState stored;
  stored.node_id.fill(5);
  const MacAddress mac{{2, 0, 0, 0, 0, 1}};
  const NodeFacts facts = GatherFacts(config, stored, mac, "");
  EXPECT_EQ(facts.node_id, stored.node_id);
  EXPECT_EQ(facts.name, "n1");
  EXPECT_EQ(facts.revision, Revision());
  EXPECT_EQ(facts.lan_mac, mac);
  EXPECT_EQ(facts.vlan, 7);
  EXPECT_EQ(facts.priority, 3);
  EXPECT_EQ(facts.weight, 9u);
}

TEST(GatherFacts, EveryBootHasAnotherId) {
  const NodeFacts first = GatherFacts({}, {}, {}, "");
  const NodeFacts second = GatherFacts({}, {}, {}, "");
  EXPECT_NE(first.boot_id, BootId{});
  EXPECT_NE(first.boot_id, second.boot_id);
}

TEST(ClusterAddress, IsTheFirstIpv4OfTheConfiguration) {
  NodeConfig config;
  EXPECT_TRUE(ClusterAddress(config, "lo").is_zero());
  config.addresses = {*ParsePrefix("2001:db8:2::11/64")};
  EXPECT_TRUE(ClusterAddress(config, "lo").is_zero());
  config.addresses.push_back(*ParsePrefix("198.51.100.11/24"));
  config.addresses.push_back(*ParsePrefix("198.51.100.12/24"));
  EXPECT_EQ(ToString(ClusterAddress(config, "lo")), "198.51.100.11");
}

TEST(ClusterAddress, IsTheKernelsOwnInSharedMode) {
  NodeConfig config;
  config.lan_mode = LanMode::kShared;
  EXPECT_EQ(ToString(ClusterAddress(config, "lo")), "127.0.0.1");
  EXPECT_TRUE(ClusterAddress(config, "no-such-if0").is_zero());
}

TEST(FieldA5, TheIpv6AddressIsTheFirstOfTheConfiguration) {
  NodeConfig config;
  config.addresses = {*ParsePrefix("198.51.100.11/24")};
  EXPECT_TRUE(NameAddress6(config, "lo").is_zero());
  config.addresses.push_back(*ParsePrefix("2001:db8:2::11/64"));
  config.addresses.push_back(*ParsePrefix("2001:db8:2::12/64"));
  EXPECT_EQ(ToString(NameAddress6(config, "lo")), "2001:db8:2::11");
  config.lan_mode = LanMode::kShared;
  EXPECT_TRUE(NameAddress6(config, "lo").is_zero()) << "::1 is not for others";
}

TEST(FieldA5, OfTheKernelsAddressesTheFirstThatLastsIsTaken) {
  const std::string link_local = "fe800000000000005054fffffe000001 02 40 20 80     eth0\n";
  const std::string temporary = "20010db80002000000000000000000aa 02 40 00 01     eth0\n";
  const std::string deprecated = "20010db80002000000000000000000bb 02 40 00 a0     eth0\n";
  const std::string tentative = "20010db80002000000000000000000cc 02 40 00 c0     eth0\n";
  const std::string elsewhere = "20010db80002000000000000000000dd 03 40 00 80     eth1\n";
  const std::string lasting = "20010db8000200000000000000000011 02 40 00 80     eth0\n";
  const std::string unfit = "rubbish\n" + link_local + temporary + deprecated + tentative + elsewhere;
  EXPECT_TRUE(LastingIpv6In(unfit, "eth0").is_zero());
  EXPECT_EQ(ToString(LastingIpv6In(unfit + lasting, "eth0")), "2001:db8:2::11");
}

TEST(Version, TheRevisionIsPartOfIt) {
  EXPECT_FALSE(Revision().empty());
  EXPECT_EQ(Revision().find('@'), std::string_view::npos) << "was not filled in";
  EXPECT_TRUE(FullVersion().starts_with(Version()));
}

}  // namespace
}  // namespace qure
