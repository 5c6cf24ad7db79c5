#include <gtest/gtest.h>

#include "tests/lease/heartbeat_world.h"

namespace qure {

TEST(HeartbeatProperty, TheMasterIsShutWhenTheDeputyActs) {
  WorldResult sum;
  for (uint64_t seed = 1; seed <= 120; ++seed) {
    const WorldResult result = HeartbeatWorld(seed).Run(Seconds(4));
    ASSERT_EQ(result.violation, "") << "seed " << seed;
    sum.silences += result.silences;
    sum.renewals += result.renewals;
    sum.open_rounds += result.open_rounds;
    sum.rounds += result.rounds;
  }
  // The world is bad enough to matter and good enough to hold a lease in.
  EXPECT_GT(sum.silences, 150);
  EXPECT_GT(sum.renewals, 300);
  EXPECT_GT(sum.open_rounds, sum.rounds / 2);
}

}  // namespace qure
