// Whole runs of several nodes: those that the design is about, written out, and many by chance.
#include <gtest/gtest.h>

#include "absl/strings/str_join.h"
#include "tests/unit/cluster_config/world.h"

namespace qure::clusterconfig::test {
namespace {

Body BodyOf(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}
std::string All(const Result& result) {
  return absl::StrJoin(result.violations, "\n");
}

// Three nodes that have a confirmed configuration.
class RunsTest : public testing::Test {
 protected:
  RunsTest() {
    world_.PassTime(Seconds(1));
    world_.Propose(0, {.body = BodyOf("first")});
    world_.PassTime(Seconds(2));
    first_ = world_.RunningAt(0);
    EXPECT_NE(first_, Version{});
    ExpectAllRun(first_);
  }
  ~RunsTest() override { EXPECT_TRUE(world_.result().violations.empty()) << All(world_.result()); }

  void ExpectAllRun(const Version& version) {
    for (int node = 0; node < 3; ++node) EXPECT_EQ(ToText(world_.RunningAt(node)), ToText(version)) << node;
  }
  Version OpenAll(std::string body, Duration timeout, bool canary = true) {
    world_.Propose(0, {.body = BodyOf(std::move(body)), .confirm = timeout, .canary = canary});
    world_.PassTime(Seconds(2));
    EXPECT_NE(world_.RunningAt(0), first_);
    ExpectAllRun(world_.RunningAt(0));
    return world_.RunningAt(0);
  }

  World world_{Plan{.seed = 5}};
  Version first_;
};

TEST_F(RunsTest, AChangeByAnyNodeReachesAllWithinASecond) {
  world_.Propose(2, {.body = BodyOf("second")});
  world_.PassTime(Seconds(1));
  EXPECT_GT(world_.RunningAt(0), first_);
  ExpectAllRun(world_.RunningAt(0));
}

TEST_F(RunsTest, TheCanaryRefusesWhatCutsItOff) {
  world_.Propose(0, {.body = BodyOf("cuts off all."), .confirm = Seconds(30)});
  world_.PassTime(Seconds(1));
  EXPECT_NE(world_.RunningAt(2), first_) << "it tries it";
  EXPECT_EQ(world_.RunningAt(0), first_);
  EXPECT_EQ(world_.RunningAt(1), first_);
  world_.PassTime(Seconds(4));
  EXPECT_EQ(world_.result().refused_by_canary, 1);
  ExpectAllRun(first_);
}

TEST_F(RunsTest, WithoutACanaryAllRollBackWhatNobodyConfirms) {
  OpenAll("cuts off all.", Seconds(6), false);
  world_.PassTime(Seconds(6));
  ExpectAllRun(first_);
}

TEST_F(RunsTest, ARestartRollsBackEverywhere) {
  OpenAll("second", Seconds(30));
  world_.Kill(1);
  world_.PassTime(Seconds(1));
  world_.Boot(1);
  world_.PassTime(Seconds(3));
  ExpectAllRun(first_);
}

TEST_F(RunsTest, ConfirmedOnOneHalfOfACutItIsInEffectOnBoth) {
  const Version version = OpenAll("second", Seconds(8));
  world_.Cut({2});
  ASSERT_TRUE(world_.Confirm(2, version));
  world_.PassTime(Seconds(20));
  EXPECT_EQ(world_.RunningAt(0), first_);
  EXPECT_EQ(world_.RunningAt(1), first_);
  EXPECT_EQ(world_.RunningAt(2), version);
  world_.Heal();
  world_.PassTime(Seconds(5));
  ExpectAllRun(version);
}

TEST_F(RunsTest, TwoMastersChangeItAndTheGreaterIsInEffect) {
  world_.Cut({2});
  world_.PassTime(Seconds(1));
  world_.Propose(0, {.body = BodyOf("here")});
  world_.Propose(2, {.body = BodyOf("there")});
  world_.PassTime(Seconds(2));
  const Version greater = std::max(world_.RunningAt(0), world_.RunningAt(2));
  EXPECT_NE(world_.RunningAt(0), world_.RunningAt(2));
  world_.Heal();
  world_.PassTime(Seconds(5));
  ExpectAllRun(greater);
}

TEST_F(RunsTest, AReturningNodeTakesWhatWasChangedMeanwhile) {
  world_.Kill(2);
  world_.PassTime(Seconds(1));
  for (int change = 0; change < 5; ++change) {
    world_.Propose(0, {.body = BodyOf(std::string(2'000, static_cast<char>('a' + change)))});
    world_.PassTime(Seconds(2));
  }
  world_.Boot(2);
  world_.PassTime(Seconds(3));
  EXPECT_GT(world_.RunningAt(0), first_);
  ExpectAllRun(world_.RunningAt(0));
}

TEST_F(RunsTest, ALateConfirmationDoesNotUndoALaterChange) {
  const Version version = OpenAll("second", Seconds(8));
  world_.Cut({2});
  ASSERT_TRUE(world_.Confirm(2, version));
  world_.PassTime(Seconds(10));
  world_.Propose(0, {.body = BodyOf("third")});
  world_.PassTime(Seconds(2));
  const Version third = world_.RunningAt(0);
  world_.Heal();
  world_.PassTime(Seconds(5));
  ExpectAllRun(third);
}

struct Chance {
  const char* name;
  Plan plan;
  uint32_t seeds;
};
class ChanceTest : public testing::TestWithParam<Chance> {};

TEST_P(ChanceTest, KeepsTheRules) {
  Result all;
  Plan plan = GetParam().plan;
  for (plan.seed = 1; plan.seed <= GetParam().seeds; ++plan.seed) {
    const Result result = World(plan).Run();
    ASSERT_TRUE(result.violations.empty()) << "seed " << plan.seed << "\n" << All(result);
    all.taken += result.taken;
    all.confirmed += result.confirmed;
    all.refused_by_canary += result.refused_by_canary;
    all.rolled_back += result.rolled_back;
  }
  const int seeds = static_cast<int>(GetParam().seeds);
  EXPECT_GT(all.taken, seeds);
  EXPECT_GT(all.confirmed, seeds / 4);
  EXPECT_GT(all.rolled_back, seeds);
  EXPECT_GT(all.refused_by_canary, 0);
}

INSTANTIATE_TEST_SUITE_P(All, ChanceTest,
                         testing::Values(Chance{"well", {.nodes = 3, .cuts = 0, .kills = 0}, 20},
                                         Chance{"kills", {.nodes = 3, .cuts = 0, .kills = 4}, 30},
                                         Chance{"cuts", {.nodes = 3, .cuts = 4, .kills = 0}, 30},
                                         Chance{"both", {.nodes = 4, .cuts = 3, .kills = 3}, 30},
                                         Chance{"five", {.nodes = 5, .cuts = 4, .kills = 4}, 15}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace qure::clusterconfig::test
