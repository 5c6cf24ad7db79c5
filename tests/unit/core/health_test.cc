#include "control/core/balance/health.h"

#include <gtest/gtest.h>

namespace qure::test {
namespace {

HealthCheck Check() {
  return {.kind = HealthCheck::Kind::kTcp, .interval = Seconds(1), .rise = 2, .fall = 3};
}

class HealthTest : public ::testing::Test {
 protected:
  void Results(std::initializer_list<bool> results) {
    for (const bool good : results) {
      now_ = now_ + Seconds(1);
      health_.OnResult(now_, good);
    }
  }
  // Good results until it is healthy.
  int Rise() {
    int needed = 0;
    while (!health_.healthy()) {
      Results({true});
      ++needed;
    }
    return needed;
  }

  MonoTime now_;
  Health health_{Check()};
};

}  // namespace

TEST_F(HealthTest, WithoutACheckAllIsWell) {
  EXPECT_TRUE(Health(HealthCheck{}).healthy());
}

TEST_F(HealthTest, IsNotBelievedBeforeTheFirstResult) {
  EXPECT_FALSE(health_.healthy());
  Results({true});
  EXPECT_TRUE(health_.healthy());
}

TEST_F(HealthTest, ServiceThatFailsFromTheStartHasToRise) {
  Results({false, true});
  EXPECT_FALSE(health_.healthy());
  Results({true});
  EXPECT_TRUE(health_.healthy());
}

TEST_F(HealthTest, FallsOnlyAfterSoManyFailuresInARow) {
  Results({true, false, false, true, false, false});
  EXPECT_TRUE(health_.healthy());
  Results({false});
  EXPECT_FALSE(health_.healthy());
  Results({true, false, true});
  EXPECT_FALSE(health_.healthy());
  Results({true});
  EXPECT_TRUE(health_.healthy());
}

TEST_F(HealthTest, FlappingIsDampedAndForgiven) {
  Results({true});
  int before = 0;
  for (int flap = 0; flap < 4; ++flap) {
    Results({false, false, false});
    ASSERT_FALSE(health_.healthy());
    const int needed = Rise();
    EXPECT_EQ(needed, flap == 0 ? 2 : before * 2);
    before = needed;
  }
  now_ = now_ + kFlapMemory;
  Results({false, false, false});
  EXPECT_EQ(Rise(), 2);
}

TEST(HealthBoard, ChecksWhatIsDueAndKeepsItsState) {
  ServiceConfig web{.name = "web", .first_port = 80, .last_port = 80, .check = Check()};
  const ServiceConfig plain{.name = "plain", .first_port = 81, .last_port = 81};
  HealthBoard board;
  MonoTime now{Seconds(5).ns};
  board.Configure({web, plain}, now);
  EXPECT_EQ(board.unhealthy(), std::set<std::string>{"web"});
  ASSERT_EQ(board.TakeDue(now).size(), 1U);
  EXPECT_TRUE(board.TakeDue(now).empty());
  EXPECT_EQ(board.deadline(), now + Seconds(1));
  board.OnResult(now, "web", true);
  board.OnResult(now, "nothing", true);
  EXPECT_TRUE(board.unhealthy().empty());
  board.Configure({plain, web}, now);
  EXPECT_TRUE(board.unhealthy().empty());
  web.weights["n1"] = 3;
  web.affinity = Affinity::kAddress;
  board.Configure({web}, now);
  EXPECT_TRUE(board.unhealthy().empty());
  web.check.port = 8080;
  board.Configure({web}, now);
  EXPECT_EQ(board.unhealthy(), std::set<std::string>{"web"});
  board.Configure({plain}, now);
  EXPECT_EQ(board.deadline(), kNever);
}

}  // namespace qure::test
