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

INSTANTIATE_TEST_SUITE_P(All, MutantTest, testing::ValuesIn(Mutants().begin(), Mutants().end()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace qure::sim
