// Maglev lookup tables and balance epochs.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "control/core/balance/balancer.h"
#include "control/core/balance/heavy_hitters.h"
#include "control/core/balance/maglev.h"
#include "control/core/balance/pinned_flows.h"
#include "control/core/timers.h"

namespace qure::test {
namespace {

constexpr BalanceSeed kSeed = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

NodeId Id(uint32_t number) {
  NodeId id{};
  std::mt19937 random(number);
  for (uint8_t& byte : id) byte = static_cast<uint8_t>(random());
  return id;
}

std::vector<WeightedNode> Equal(uint32_t count) {
  std::vector<WeightedNode> nodes;
  for (uint32_t i = 0; i < count; ++i) nodes.push_back({.node = Id(i), .weight = 1});
  return nodes;
}

std::vector<uint32_t> EntriesOf(const std::vector<uint8_t>& table, size_t nodes) {
  std::vector<uint32_t> entries(nodes);
  for (const uint8_t node : table) ++entries[node];
  return entries;
}

ServiceConfig Web() {
  return {.name = "web", .first_port = 80, .last_port = 80};
}

std::vector<Capacity> Present(std::initializer_list<uint32_t> numbers) {
  std::vector<Capacity> nodes;
  for (const uint32_t number : numbers) nodes.push_back({.node = Id(number)});
  return nodes;
}

std::vector<NodeId> Owners(const Epoch& epoch) {
  std::vector<NodeId> owners;
  for (const auto& [node, weight] : epoch.weights.at(ServiceIdOf("web"))) owners.push_back(node);
  return owners;
}

ClusterConfig With(std::vector<ServiceConfig> services) {
  ClusterConfig config;
  config.services = std::move(services);
  return config;
}

class BalancerTest : public ::testing::Test {
 protected:
  bool Decide(const std::vector<Capacity>& present, bool settled = true) {
    return balancer_.Decide(now_,
                            {.config = &config_,
                             .present = present,
                             .heavy_hitters = heavy_hitters_,
                             .in_force = in_force_ || settled,
                             .settled = settled},
                            random_);
  }
  void Wait(Duration span) { now_ = now_ + span; }

  std::mt19937_64 random_{7};
  MonoTime now_{Seconds(100).ns};
  ClusterConfig config_ = With({Web()});
  std::set<RemoteAddress> heavy_hitters_;
  bool in_force_ = false;
  Balancer balancer_{Id(0)};
};

}  // namespace

TEST(Maglev, SharesAreExactToOneRow) {
  for (const uint32_t count : {1U, 2U, 3U, 8U, 64U, 256U}) {
    const auto entries = EntriesOf(BuildMaglev(kSeed, Equal(count)), count);
    const auto [least, most] = std::ranges::minmax(entries);
    EXPECT_LE(most - least, 1U) << count << " nodes";
  }
}

TEST(Maglev, WeightsAreExactToOneRow) {
  std::vector<WeightedNode> nodes = Equal(5);
  uint32_t total = 0;
  for (uint32_t i = 0; i < nodes.size(); ++i) total += nodes[i].weight = i * i * 10;  // 0, 10, 40, 90, 160
  const auto entries = EntriesOf(BuildMaglev(kSeed, nodes), nodes.size());
  for (uint32_t i = 0; i < nodes.size(); ++i) {
    EXPECT_NEAR(entries[i], double{kLookupTableSize} * nodes[i].weight / total, 1.0) << "node " << i;
  }
}

TEST(Maglev, ArrivalOrderDoesNotMatterAndTheSeedDoes) {
  std::vector<WeightedNode> nodes = Equal(7);
  const auto table = BuildMaglev(kSeed, nodes);
  std::ranges::reverse(nodes);
  auto turned = BuildMaglev(kSeed, nodes);
  for (uint8_t& entry : turned) entry = static_cast<uint8_t>(nodes.size() - 1 - entry);
  EXPECT_EQ(table, turned);
  const auto other = BuildMaglev(BalanceSeed{}, Equal(7));
  size_t same = 0;
  for (size_t entry = 0; entry < table.size(); ++entry) same += table[entry] == other[entry] ? 1 : 0;
  EXPECT_LT(same, table.size() / 4);
}

TEST(Maglev, NoNodeGetsNothing) {
  EXPECT_TRUE(BuildMaglev(kSeed, {}).empty());
  EXPECT_TRUE(BuildMaglev(kSeed, {{.node = Id(1), .weight = 0}}).empty());
}

// Removing one of N moves its own entries, and of the others' at most 1/N + 1 %: by far less, as it turns out.
TEST(Maglev, RemovingANodeHardlyMovesTheOthersRows) {
  for (const uint32_t count : {3U, 8U, 16U, 64U}) {
    const auto before = BuildMaglev(kSeed, Equal(count));
    for (const uint32_t gone : {0U, count / 2, count - 1}) {
      std::vector<WeightedNode> rest = Equal(count);
      rest[gone].weight = 0;
      const auto after = BuildMaglev(kSeed, rest);
      uint32_t moved = 0;
      for (size_t entry = 0; entry < before.size(); ++entry) {
        EXPECT_NE(after[entry], gone);
        moved += before[entry] != gone && before[entry] != after[entry] ? 1 : 0;
      }
      EXPECT_LE(moved, kLookupTableSize * (1.0 / count + 0.01)) << count << " nodes without " << gone;
    }
  }
}

TEST_F(BalancerTest, TheFirstEpochIsDecidedAtOnce) {
  EXPECT_TRUE(Decide(Present({0})));
  EXPECT_EQ(balancer_.current().number, 1U);
  EXPECT_EQ(balancer_.previous().number, 0U);
  EXPECT_FALSE(Decide(Present({0})));
}

TEST_F(BalancerTest, ANewNodeWaitsUntilTheEpochHasSettled) {
  Decide(Present({0}), false);
  EXPECT_FALSE(Decide(Present({0, 1}), false));
  EXPECT_LE(balancer_.deadline(), now_ + kEpochLook);
  Wait(kEpochLeast);
  EXPECT_FALSE(Decide(Present({0, 1}), false));
  EXPECT_TRUE(Decide(Present({0, 1}), true));
  EXPECT_EQ(balancer_.current().number, 2U);
  EXPECT_EQ(Owners(balancer_.previous()), (std::vector<NodeId>{Id(0)}));
}

TEST_F(BalancerTest, NoNodeIsWaitedForTooLong) {
  Decide(Present({0}), false);
  Wait(kEpochSettled);
  EXPECT_TRUE(Decide(Present({0, 1}), false));
}

// Packets come to all nodes: new flows are where the balance epoch puts them as soon as all go by it.
TEST_F(BalancerTest, ALossKeepsTheEpochThatWasInForceThoughItHadNotSettled) {
  Decide(Present({0, 1, 2}));
  Wait(kEpochLeast);
  EXPECT_TRUE(Decide(Present({0, 1, 2, 3}), true));
  in_force_ = true;
  EXPECT_FALSE(Decide(Present({0, 1, 2, 3}), false));
  EXPECT_TRUE(Decide(Present({0, 1, 3}), false));
  EXPECT_EQ(balancer_.current().number, 3U);
  EXPECT_EQ(balancer_.previous().number, 2U);
}

TEST_F(BalancerTest, ALossDoesNotWaitAndKeepsTheEpochThatHadSettled) {
  Decide(Present({0, 1, 2}));
  Decide(Present({0, 1, 2}), true);
  Wait(kEpochLeast);
  EXPECT_TRUE(Decide(Present({0, 1, 2, 3}), true));
  EXPECT_TRUE(Decide(Present({0, 1, 3}), false));
  EXPECT_EQ(balancer_.current().number, 3U);
  EXPECT_EQ(balancer_.previous().number, 1U);
}

// A node that comes in where none is left is not made to wait: none takes the service's flows meanwhile.
TEST_F(BalancerTest, WhereTheLastOwnerDiesItsSuccessorsDoNotWait) {
  std::vector<Capacity> nodes = Present({0, 1});
  nodes[0].draining = true;
  Decide(nodes);
  Wait(kEpochLeast);
  EXPECT_EQ(Owners(balancer_.current()), (std::vector<NodeId>{Id(1)}));
  nodes.pop_back();
  EXPECT_TRUE(Decide(nodes, false));
  EXPECT_EQ(Owners(balancer_.current()), (std::vector<NodeId>{Id(0)}));
}

TEST_F(BalancerTest, DrainingAndIllNodesGetNothing) {
  std::vector<Capacity> nodes = Present({0, 1, 2});
  nodes[1].draining = true;
  nodes[2].unhealthy[ServiceIdOf("web")] = true;
  EXPECT_TRUE(Decide(nodes));
  EXPECT_EQ(Owners(balancer_.current()), (std::vector<NodeId>{Id(0)}));
}

TEST_F(BalancerTest, IllEverywhereIsIllNowhere) {
  std::vector<Capacity> nodes = Present({0, 1});
  for (Capacity& node : nodes) node.unhealthy[ServiceIdOf("web")] = true;
  Decide(nodes);
  EXPECT_EQ(Owners(balancer_.current()).size(), 2U);
  for (Capacity& node : nodes) node.draining = true;
  Wait(kEpochSettled);
  Decide(nodes);
  EXPECT_EQ(Owners(balancer_.current()).size(), 2U);
}

TEST_F(BalancerTest, FollowersComputeTheSame) {
  std::vector<Capacity> nodes = Present({0, 1, 2});
  nodes[2].weight = 3;
  Decide(nodes);
  Wait(kEpochSettled);
  nodes[1].services[ServiceIdOf("web")] = 7;
  Decide(nodes);
  Balancer follower{Id(1)};
  ASSERT_TRUE(follower.Follow(now_, balancer_.ToWire()));
  EXPECT_EQ(follower.digest(), balancer_.digest());
  EXPECT_EQ(follower.current(), balancer_.current());
  EXPECT_EQ(follower.previous(), balancer_.previous());

  std::map<NodeId, NodeAtHand> at_hand;
  for (uint32_t i = 0; i < 3; ++i) at_hand[Id(i)] = {};
  const auto ours = balancer_.Compile(config_, at_hand, Id(0), {.report_round = 1});
  const auto theirs = follower.Compile(config_, at_hand, Id(0), {.report_round = 1});
  ASSERT_EQ(ours->current.services.size(), 1U);
  for (uint32_t entry = 0; entry < kLookupTableSize; ++entry) {
    ASSERT_EQ(balancer_.KnownSlot(Id(0)) == (*ours->current.services[0])[entry],
              follower.KnownSlot(Id(0)) == (*theirs->current.services[0])[entry]);
  }
  EXPECT_EQ(ours->master, kSelfSlot);
  EXPECT_EQ(theirs->master, follower.KnownSlot(Id(0)));
}

TEST_F(BalancerTest, UnsoundEpochsChangeNothing) {
  Decide(Present({0, 1}));
  const uint64_t digest = balancer_.digest();
  wire::BalanceState state = balancer_.ToWire();
  state.set_seed("short");
  EXPECT_FALSE(balancer_.Follow(now_, state));
  state = balancer_.ToWire();
  state.add_nodes("short");
  EXPECT_FALSE(balancer_.Follow(now_, state));
  state = balancer_.ToWire();
  state.mutable_current()->mutable_services(0)->set_weights("far too many");
  EXPECT_FALSE(balancer_.Follow(now_, state));
  state = balancer_.ToWire();
  state.mutable_current()->set_table_size(kLookupTableSize - 1);
  EXPECT_FALSE(balancer_.Follow(now_, state)) << "its permutations would never fill the table";
  EXPECT_EQ(balancer_.digest(), digest);
}

TEST_F(BalancerTest, ADrainedNodesFlowsAreGivenUpUnlessItHasAShare) {
  std::vector<Capacity> nodes = Present({0, 1});
  Decide(nodes);
  const std::map<NodeId, NodeAtHand> at_hand = {{Id(0), {}}, {Id(1), {.drained = true}}};
  const NodeSlot slot = balancer_.SlotOf(Id(1)).value();
  const auto given_up = [&](NodeSlot of) {
    return balancer_.Compile(config_, at_hand, Id(0), {.report_round = 1})->nodes[of].given_up;
  };
  EXPECT_FALSE(given_up(slot)) << "the epoch still gives it new ones";
  nodes[1].draining = true;
  Wait(kEpochSettled);
  ASSERT_TRUE(Decide(nodes));
  EXPECT_TRUE(given_up(slot));
  EXPECT_FALSE(given_up(kSelfSlot));
  EXPECT_TRUE(balancer_.Compile(config_, at_hand, Id(0), {.report_round = 1})->nodes[slot].present)
      << "it is still spoken to";
  nodes[0].draining = true;  // there is no other
  Wait(kEpochSettled);
  ASSERT_TRUE(Decide(nodes));
  EXPECT_FALSE(given_up(slot));
}

class FieldB1 : public BalancerTest {};

TEST_F(FieldB1, WhereAServiceFailsIsKnownUnlessItFailsEverywhere) {
  const std::set<ServiceId> web = {ServiceIdOf("web")};
  const auto compile = [&] {
    return balancer_.Compile(config_, {{Id(0), {.unhealthy = web}}, {Id(1), {}}, {Id(2), {.unhealthy = web}}},
                             std::nullopt, {});
  };
  std::vector<Capacity> nodes = Present({0, 1, 2});
  for (const uint32_t node : {0U, 2U}) nodes[node].unhealthy[ServiceIdOf("web")] = true;
  Decide(nodes);
  const auto balance = compile();
  EXPECT_TRUE(balance->IsUnhealthy(1, kSelfSlot));
  EXPECT_FALSE(balance->IsUnhealthy(1, *balancer_.KnownSlot(Id(1))));
  EXPECT_TRUE(balance->IsUnhealthy(1, *balancer_.KnownSlot(Id(2))));
  EXPECT_FALSE(balance->IsUnhealthy(0, kSelfSlot)) << "of no service";

  nodes[1].unhealthy[ServiceIdOf("web")] = true;
  Wait(kEpochSettled);
  ASSERT_TRUE(Decide(nodes));
  EXPECT_FALSE(compile()->IsUnhealthy(1, kSelfSlot)) << "it has a share all the same";
}

TEST_F(BalancerTest, TablesAreMadeOnceForEqualWeights) {
  Decide(Present({0, 1}));
  ServiceConfig other = Web();
  other.name = "other";
  config_ = With({Web(), other});
  Wait(kEpochSettled);
  Decide(Present({0, 1}));
  const auto first = balancer_.Compile(config_, {}, std::nullopt, {.report_round = 1});
  const auto second = balancer_.Compile(config_, {}, std::nullopt, {.report_round = 2});
  ASSERT_NE(first->current.services[0], nullptr);
  EXPECT_EQ(first->current.services[0], first->current.services[1]);
  EXPECT_EQ(first->current.services[0], second->current.services[0]);
}

TEST_F(BalancerTest, HeavyHittersArePartOfTheEpoch) {
  const RemoteAddress heavy_hitter = MappedAddress({{203, 0, 113, 9}});
  config_.services[0].affinity = Affinity::kAdaptive;
  Decide(Present({0, 1}));
  const auto before = balancer_.Compile(config_, {}, std::nullopt, {.report_round = 1});
  EXPECT_EQ(before->heavy_hitter, config_.heavy_hitter);
  heavy_hitters_ = {heavy_hitter};
  Wait(kEpochSettled);
  EXPECT_TRUE(Decide(Present({0, 1})));
  Balancer follower{Id(1)};
  ASSERT_TRUE(follower.Follow(now_, balancer_.ToWire()));
  const auto after = follower.Compile(config_, {}, std::nullopt, {.report_round = 1});
  EXPECT_EQ(AffinityFor(after->current, Affinity::kAdaptive, heavy_hitter), Affinity::kSocket);
  EXPECT_EQ(AffinityFor(after->previous, Affinity::kAdaptive, heavy_hitter), Affinity::kAddress);
  EXPECT_EQ(AffinityFor(after->current, Affinity::kAdaptive, MappedAddress({{203, 0, 113, 8}})), Affinity::kAddress);
}

TEST_F(BalancerTest, ALossIsNotMadeToWaitByAHeavyHitterOrNewRows) {
  Decide(Present({0, 1, 2}));
  heavy_hitters_ = {MappedAddress({{203, 0, 113, 9}})};
  config_.table_size = 1009;
  EXPECT_TRUE(Decide(Present({0, 1}), false));
  EXPECT_TRUE(balancer_.current().heavy_hitters.empty());
  Wait(kEpochSettled);
  EXPECT_TRUE(Decide(Present({0, 1}), false));
  EXPECT_EQ(balancer_.current().heavy_hitters, heavy_hitters_);
  const auto balance = balancer_.Compile(config_, {}, std::nullopt, {.report_round = 1});
  EXPECT_EQ(balance->current.services[0]->size(), 1009U);
  EXPECT_EQ(balance->previous.services[0]->size(), kLookupTableSize);  // as it was when its flows were given away
}

TEST(HeavyHitters, OneBecomesAHeavyHitterAtOnceAndStaysUntilItIsQuiet) {
  const RemoteAddress heavy_hitter = MappedAddress({{203, 0, 113, 9}});
  const RemoteAddress other = MappedAddress({{203, 0, 113, 8}});
  MonoTime now{Seconds(100).ns};
  HeavyHitters heavy_hitters;
  heavy_hitters.OnSighting(now, other, false);
  EXPECT_TRUE(heavy_hitters.At(now).empty());
  EXPECT_EQ(heavy_hitters.deadline(), kNever);
  heavy_hitters.OnSighting(now, heavy_hitter, true);
  EXPECT_EQ(heavy_hitters.At(now), std::set<RemoteAddress>{heavy_hitter});
  now = now + kHeavyHitterQuiet - Seconds(1);
  heavy_hitters.OnSighting(now, heavy_hitter, false);  // fewer, but enough
  now = now + kHeavyHitterQuiet - Seconds(1);
  EXPECT_EQ(heavy_hitters.At(now).size(), 1U);
  now = heavy_hitters.deadline();
  EXPECT_TRUE(heavy_hitters.At(now).empty());
  heavy_hitters.OnSighting(now, heavy_hitter, false);
  EXPECT_TRUE(heavy_hitters.At(now).empty());
}

TEST(HeavyHitters, ANewMasterGoesOnWithThoseOfTheEpochAndThereIsAMost) {
  const MonoTime now{Seconds(100).ns};
  HeavyHitters heavy_hitters;
  heavy_hitters.Adopt(now, {MappedAddress({{203, 0, 113, 9}})});
  EXPECT_EQ(heavy_hitters.At(now).size(), 1U);
  for (uint8_t i = 0; i < 200; ++i) heavy_hitters.OnSighting(now, MappedAddress({{198, 18, 0, i}}), true);
  EXPECT_EQ(heavy_hitters.At(now).size(), kMaxHeavyHitters);
}

TEST(PinnedFlows, ReadWhatIsSoundAndNothingElse) {
  wire::PinnedFlows message;
  wire::FlowGroup* group = message.add_groups();
  group->set_address(std::string("\xc6\x33\x64\x32", 4));
  group->set_protocol(6);
  group->set_port(80);
  group->set_sockets(std::string(36, 'a'));
  EXPECT_EQ(ReadPinnedFlows(message).size(), 2U);
  group->set_sockets(std::string(37, 'a'));
  EXPECT_TRUE(ReadPinnedFlows(message).empty());
  group->set_sockets(std::string(18, 'a'));
  group->set_protocol(1);
  EXPECT_TRUE(ReadPinnedFlows(message).empty());
  group->set_protocol(17);
  group->set_port(70000);
  EXPECT_TRUE(ReadPinnedFlows(message).empty());
  group->set_port(53);
  ASSERT_EQ(ReadPinnedFlows(message).size(), 1U);
  EXPECT_EQ(ToString(ReadPinnedFlows(message)[0].local), "198.51.100.50");
  group->set_address("abc");
  EXPECT_TRUE(ReadPinnedFlows(message).empty());
}

}  // namespace qure::test
