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
  const auto facts = GatherFacts(config, stored, mac, "");
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->node_id, stored.node_id);
  EXPECT_EQ(facts->name, "n1");
  EXPECT_EQ(facts->revision, Revision());
  EXPECT_EQ(facts->lan_mac, mac);
  EXPECT_EQ(facts->vlan, 7);
  EXPECT_EQ(facts->priority, 3);
  EXPECT_EQ(facts->weight, 9u);
}

TEST(GatherFacts, EveryBootHasAnotherId) {
  const auto first = GatherFacts({}, {}, {}, "");
  const auto second = GatherFacts({}, {}, {}, "");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(first->boot_id, BootId{});
  EXPECT_NE(first->boot_id, second->boot_id);
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

TEST(Version, TheRevisionIsPartOfIt) {
  EXPECT_FALSE(Revision().empty());
  EXPECT_EQ(Revision().find('@'), std::string_view::npos) << "was not filled in";
  EXPECT_TRUE(FullVersion().starts_with(Version()));
}

}  // namespace
}  // namespace qure
