// Built with the rules of gate and heart made breakable: the world of the property test notices each that is broken.
#include <gtest/gtest.h>

#include "proto/mutation.h"
#include "tests/packet/heart_world.h"

namespace qure {

namespace {

constexpr uint64_t kSeeds = 200;

class HeartMutation : public testing::TestWithParam<Mutation> {
 protected:
  void SetUp() override { mutation = GetParam(); }
  void TearDown() override { mutation = Mutation::kNone; }
};

TEST_P(HeartMutation, IsNoticed) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    if (const WorldResult result = HeartWorld(seed).Run(Seconds(4)); !result.violation.empty()) {
      RecordProperty("seed", static_cast<int>(seed));
      RecordProperty("violation", result.violation);
      return;
    }
  }
  FAIL() << "no seed up to " << kSeeds << " shows it";
}

INSTANTIATE_TEST_SUITE_P(All, HeartMutation,
                         testing::Values(Mutation::kIgnoreStall, Mutation::kDoNotGate, Mutation::kLeaseFromAckTime,
                                         Mutation::kDeputyIgnoresOwnStall, Mutation::kDeputyDoesNotDrain,
                                         Mutation::kExpiryMovesBack));

}  // namespace

}  // namespace qure
