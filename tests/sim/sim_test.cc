// The simulator's own promises, and a few seeds of every scenario; CI runs thousands with qure-sim.
#include <gtest/gtest.h>

#include <string>

#include "proto/check.h"
#include "tests/sim/run.h"

namespace qure::sim {
namespace {

std::string Text(const RunResult& run) {
  std::string text;
  for (const Violation& violation : run.violations) {
    text += std::to_string(static_cast<double>(violation.at.ns) / 1e9) + " s " +
            std::string(NameOf(violation.invariant)) + ": " + violation.text + "\n";
  }
  return text;
}

TEST(SimTest, SameSeedReplaysToTheByte) {
  for (const std::string_view name : {"quiet", "random", "kill_master", "jitter", "clone"}) {
    const RunOptions options{.seed = 7, .scenario = FindScenario(name)};
    const RunResult first = sim::Run(options);
    const RunResult second = sim::Run(options);
    EXPECT_EQ(first.hash, second.hash) << name;
    EXPECT_EQ(first.frames, second.frames) << name;
  }
}

TEST(SimTest, OtherSeedIsAnotherRun) {
  const Scenario* quiet = FindScenario("quiet");
  EXPECT_NE(sim::Run({.seed = 1, .scenario = quiet}).hash, sim::Run({.seed = 2, .scenario = quiet}).hash);
}

TEST(SimTest, ClientsAreServedWhenNothingHappens) {
  const RunResult run = sim::Run({.seed = 3, .scenario = FindScenario("quiet")});
  EXPECT_GT(run.answered, run.sent * 9 / 10);
  EXPECT_EQ(run.takeovers, 1u);
}

TEST(SimTest, FailedCheckIsAViolationOfItsSeed) {
  const Scenario broken{.name = "broken", .meaning = "a rule that does not hold", .setup = [](World& world) {
                          world.At(Milliseconds(700), [] { QURE_CHECK(1 + 1 == 3, 1 + 1); });
                        }};
  const RunResult run = sim::Run({.seed = 5, .scenario = &broken});
  ASSERT_EQ(run.violations.size(), 1u);
  EXPECT_EQ(run.violations[0].invariant, Invariant::kCheck);
  EXPECT_EQ(run.violations[0].at, MonoTime{} + Milliseconds(700));
  EXPECT_NE(run.violations[0].text.find("1 + 1 == 3"), std::string::npos) << run.violations[0].text;
  EXPECT_NE(run.violations[0].text.find("= 2"), std::string::npos) << run.violations[0].text;
}

class ScenarioTest : public testing::TestWithParam<Scenario> {};

TEST_P(ScenarioTest, HoldsForSomeSeeds) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    const RunResult run = sim::Run({.seed = seed, .scenario = &GetParam()});
    EXPECT_TRUE(run.violations.empty()) << "qure-sim --trace --scenario " << run.scenario << " --seed " << seed << "\n"
                                        << Text(run);
  }
}

INSTANTIATE_TEST_SUITE_P(All, ScenarioTest, testing::ValuesIn(Scenarios().begin(), Scenarios().end()),
                         [](const auto& scenario) { return std::string(scenario.param.name); });

}  // namespace
}  // namespace qure::sim
