// Each rule that is broken on purpose is noticed by some seed.
#include <gtest/gtest.h>

#include <string>

#include "tests/sim/mutants.h"
#include "tests/sim/run.h"

namespace qure::sim {
namespace {

class MutantTest : public testing::TestWithParam<Mutant> {
 protected:
  ~MutantTest() override { mutation = Mutation::kNone; }
};

TEST_P(MutantTest, IsCaught) {
  const Mutant& mutant = GetParam();
  const Scenario* scenario = FindScenario(mutant.scenario);
  ASSERT_NE(scenario, nullptr);
  mutation = mutant.mutation;
  for (uint64_t seed = 1; seed <= mutant.seeds; ++seed) {
    if (!sim::Run({.seed = seed, .scenario = scenario}).violations.empty()) return;
  }
  ADD_FAILURE() << mutant.name << " survives " << mutant.seeds << " seeds of " << mutant.scenario;
}

// The node that yields goes on with an open gate: its own check notices before any frame does.
TEST(CheckTest, NoticesABrokenRule) {
  mutation = Mutation::kNoYieldShut;
  const RunResult run = sim::Run({.seed = 1, .scenario = FindScenario("handovers")});
  mutation = Mutation::kNone;
  ASSERT_FALSE(run.violations.empty());
  EXPECT_EQ(run.violations[0].invariant, Invariant::kCheck) << run.violations[0].text;
}

INSTANTIATE_TEST_SUITE_P(All, MutantTest, testing::ValuesIn(Mutants().begin(), Mutants().end()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace qure::sim
