#include "control/names/clock.h"

#include <gtest/gtest.h>

namespace qure::test {
namespace {

TEST(Clock, TimersAndTimesUseTheSameClock) {
  const MonoTime now = SteadyNow();
  EXPECT_LE(ToSteady(now), std::chrono::steady_clock::now());
  EXPECT_EQ(ToSteady(now + Seconds(2)) - ToSteady(now), std::chrono::seconds(2));
}

}  // namespace
}  // namespace qure::test
