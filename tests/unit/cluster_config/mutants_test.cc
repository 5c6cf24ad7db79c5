// Each rule that is broken on purpose is noticed by some seed of the runs by chance.
#include <gtest/gtest.h>

#include "proto/mutation.h"
#include "tests/unit/cluster_config/world.h"

namespace qure::clusterconfig::test {
namespace {

struct Mutant {
  const char* name;
  Mutation mutation;
  Plan plan;
};
constexpr uint32_t kSeeds = 40;

class MutantTest : public testing::TestWithParam<Mutant> {
 protected:
  ~MutantTest() override { mutation = Mutation::kNone; }
};

TEST_P(MutantTest, IsCaught) {
  mutation = GetParam().mutation;
  Plan plan = GetParam().plan;
  for (plan.seed = 1; plan.seed <= kSeeds; ++plan.seed) {
    if (!World(plan).Run().violations.empty()) return;
  }
  ADD_FAILURE() << GetParam().name << " survives " << kSeeds << " seeds";
}

INSTANTIATE_TEST_SUITE_P(
    All, MutantTest,
    testing::Values(Mutant{"expired_wins", Mutation::kConfigExpiredWins, {.cuts = 4, .kills = 0}},
                    Mutant{"restart_keeps_open", Mutation::kConfigRestartKeepsOpen, {.cuts = 0, .kills = 4}},
                    Mutant{"trial_sent", Mutation::kConfigTrialSent, {.cuts = 0, .kills = 0}},
                    Mutant{"second_while_open", Mutation::kConfigSecondWhileOpen, {.cuts = 0, .kills = 0}},
                    Mutant{"confirm_late", Mutation::kConfigConfirmLate, {.cuts = 0, .kills = 0}},
                    Mutant{"part_of_map", Mutation::kConfigPartOfMap, {.cuts = 2, .kills = 4}},
                    Mutant{"apply_early", Mutation::kConfigApplyEarly, {.cuts = 0, .kills = 0}}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace qure::clusterconfig::test
