#include "control/core/balance/health.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "control/core/controller_status.h"

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
      health_.OnResult(now_, good ? CheckResult::kGood : CheckResult::kFailed);
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
  EXPECT_EQ(board.health().unhealthy, std::set<std::string>{"web"});
  ASSERT_EQ(board.TakeDue(now).size(), 1U);
  EXPECT_TRUE(board.TakeDue(now).empty());
  EXPECT_EQ(board.deadline(), now + Seconds(1));
  board.OnResult(now, "web", CheckResult::kGood);
  board.OnResult(now, "nothing", CheckResult::kGood);
  EXPECT_TRUE(board.health().unhealthy.empty());
  board.Configure({plain, web}, now);
  EXPECT_TRUE(board.health().unhealthy.empty());
  web.weights["n1"] = 3;
  web.affinity = Affinity::kAddress;
  board.Configure({web}, now);
  EXPECT_TRUE(board.health().unhealthy.empty());
  web.check.port = 8080;
  board.Configure({web}, now);
  EXPECT_EQ(board.health().unhealthy, std::set<std::string>{"web"});
  board.Configure({plain}, now);
  EXPECT_EQ(board.deadline(), kNever);
}

// What has not changed is not reported again, and what is not due is not looked at.
TEST(FieldE8Board, ACheckWithTheSameResultChangesNothing) {
  HealthBoard board;
  std::vector<ServiceConfig> services;
  for (int i = 0; i < 64; ++i) {
    services.push_back({.name = "service" + std::to_string(i), .first_port = 80, .last_port = 80, .check = Check()});
  }
  MonoTime now{Seconds(5).ns};
  board.Configure(services, now);
  ASSERT_TRUE(board.TakeChange());
  EXPECT_FALSE(board.TakeChange());
  EXPECT_EQ(board.TakeDue(now).size(), services.size());
  for (const ServiceConfig& service : services) board.OnResult(now, service.name, CheckResult::kFailed);
  EXPECT_TRUE(board.TakeChange()) << "they are checked now";
  for (int round = 0; round < 5; ++round) {
    for (const ServiceConfig& service : services) board.OnResult(now, service.name, CheckResult::kFailed);
    EXPECT_FALSE(board.TakeChange());
  }
  for (int i = 0; i < 2; ++i) board.OnResult(now, "service3", CheckResult::kGood);
  const auto change = board.TakeChange();
  ASSERT_TRUE(change);
  EXPECT_FALSE(change->unhealthy.contains("service3"));
  EXPECT_EQ(change->unhealthy.size(), services.size() - 1);
}

// A service that clients cannot reach does not work, and the cause is not that of a server that is down.
TEST(FieldD13, AServiceThatIsNotReachedFails) {
  const ServiceConfig web{.name = "web", .first_port = 80, .last_port = 80, .check = Check()};
  HealthBoard board;
  MonoTime now{Seconds(5).ns};
  board.Configure({web}, now);
  board.OnResult(now, "web", CheckResult::kGood);
  for (uint32_t i = 0; i < Check().fall; ++i) {
    EXPECT_TRUE(board.health().unhealthy.empty());
    board.OnResult(now, "web", CheckResult::kUnreached);
  }
  const ServiceHealth unreached{.unhealthy = {"web"}, .unchecked = {}, .unreached = {"web"}};
  EXPECT_EQ(board.health(), unreached);
  ASSERT_TRUE(board.TakeChange());
  board.OnResult(now, "web", CheckResult::kFailed);
  EXPECT_EQ(board.TakeChange(), (ServiceHealth{.unhealthy = {"web"}, .unchecked = {}, .unreached = {}}));
  for (uint32_t i = 0; i < Check().rise; ++i) board.OnResult(now, "web", CheckResult::kGood);
  EXPECT_EQ(board.health(), ServiceHealth{});
}

class FieldD7 : public ::testing::Test {
 protected:
  std::vector<std::string> Logged(const ServiceHealth& before, const ServiceHealth& now) const {
    Actions actions;
    LogHealth(services_, before, now, &actions);
    std::vector<std::string> lines;
    for (const Action& action : actions) lines.push_back(std::get<Log>(action).text);
    return lines;
  }

  const ServiceHealth unknown_{.unhealthy = {"web"}, .unchecked = {"web"}, .unreached = {}};
  const ServiceHealth failing_{.unhealthy = {"web"}, .unchecked = {}, .unreached = {}};
  const ServiceHealth good_;
  const std::vector<ServiceConfig> services_{
      {.name = "web", .first_port = 80, .last_port = 80, .check = Check()},
      {.name = "plain", .first_port = 81, .last_port = 81},
  };
};

// "Fails" is the result of a check that was made.
TEST_F(FieldD7, AServiceThatWasNeverCheckedIsSaidToBeSo) {
  const ServiceConfig web{.name = "web", .first_port = 80, .last_port = 80, .check = Check()};
  const ServiceConfig mail{.name = "mail", .first_port = 25, .last_port = 25, .check = Check()};
  const ServiceConfig plain{.name = "plain", .first_port = 81, .last_port = 81};
  HealthBoard board;
  const MonoTime now{Seconds(5).ns};
  board.Configure({web, mail, plain}, now);
  EXPECT_EQ(board.health(),
            (ServiceHealth{.unhealthy = {"mail", "web"}, .unchecked = {"mail", "web"}, .unreached = {}}));
  board.OnResult(now, "web", CheckResult::kFailed);
  EXPECT_EQ(board.health(), (ServiceHealth{.unhealthy = {"mail", "web"}, .unchecked = {"mail"}, .unreached = {}}));
  board.OnResult(now, "mail", CheckResult::kGood);
  EXPECT_EQ(board.health(), (ServiceHealth{.unhealthy = {"web"}, .unchecked = {}, .unreached = {}}));
}

TEST_F(FieldD7, NothingIsReportedBeforeACheckWasMade) {
  EXPECT_THAT(Logged({}, unknown_), ::testing::IsEmpty());
  EXPECT_THAT(Logged(good_, unknown_), ::testing::IsEmpty());
}

TEST_F(FieldD7, TheFirstResultIsReportedAsSuch) {
  EXPECT_THAT(Logged(unknown_, good_), ::testing::ElementsAre(::testing::HasSubstr("\"web\" passes its check")));
  EXPECT_THAT(Logged(unknown_, failing_), ::testing::ElementsAre(::testing::HasSubstr("\"web\" fails its check")));
}

TEST_F(FieldD7, AChangeIsReported) {
  EXPECT_THAT(Logged(good_, failing_), ::testing::ElementsAre(::testing::HasSubstr("\"web\" fails its check")));
  EXPECT_THAT(Logged(failing_, good_), ::testing::ElementsAre(::testing::HasSubstr("\"web\" works again")));
  EXPECT_THAT(Logged(good_, good_), ::testing::IsEmpty());
}

}  // namespace qure::test
