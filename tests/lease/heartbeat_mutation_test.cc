// Built with the rules of gate and heartbeater made breakable: the world of the property test notices each that is
// broken.
#include <gtest/gtest.h>

#include "proto/mutation.h"
#include "tests/lease/heartbeat_world.h"

namespace qure {

namespace {

constexpr uint64_t kSeeds = 200;

class HeartbeatMutation : public testing::TestWithParam<Mutation> {
 protected:
  void SetUp() override { mutation = GetParam(); }
  void TearDown() override { mutation = Mutation::kNone; }
};

TEST_P(HeartbeatMutation, IsNoticed) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    if (const WorldResult result = HeartbeatWorld(seed).Run(Seconds(4)); !result.violation.empty()) {
      RecordProperty("seed", static_cast<int>(seed));
      RecordProperty("violation", result.violation);
      return;
    }
  }
  FAIL() << "no seed up to " << kSeeds << " shows it";
}

INSTANTIATE_TEST_SUITE_P(All, HeartbeatMutation,
                         testing::Values(Mutation::kIgnoreStall, Mutation::kDoNotGate, Mutation::kLeaseFromAckTime,
                                         Mutation::kDeputyIgnoresOwnStall, Mutation::kDeputyDoesNotDrain,
                                         Mutation::kExpiryMovesBack));

}  // namespace

}  // namespace qure
