// Drains with and without a deadline, and what a restart makes of them.
#include "control/core/balance/drain.h"

#include <gtest/gtest.h>

#include <random>

#include "control/core/controller.h"
#include "tests/unit/core/support.h"

namespace qure::test {
namespace {

// A node alone, with what it has stored.
class DrainOrderTest : public ::testing::Test {
 protected:
  DrainOrderTest() { Start({}); }

  void Start(const StoredDrain& stored) {
    StoredState state{.node_id = kNodeId};
    state.drain = stored;
    controller_.emplace(NodeFacts{.node_id = kNodeId, .lan_mac = LanMac()}, state, random_, now_);
    Take(controller_->OnConfig(now_, config_));
  }
  void Drain(bool on, std::optional<Duration> deadline = std::nullopt) {
    Actions actions;
    const SetDraining command{.node = kNodeId, .on = on, .deadline = deadline};
    EXPECT_TRUE(controller_->OnCommand(now_, command, &actions).ok());
    Take(actions);
  }
  void Weigh(uint32_t weight) {
    Actions actions;
    const SetWeight command{.node = kNodeId, .service = "web", .weight = weight};
    EXPECT_TRUE(controller_->OnCommand(now_, command, &actions).ok());
    Take(actions);
  }
  void Take(const Actions& actions) {
    for (const Action& action : actions) {
      const auto* persist = std::get_if<Persist>(&action);
      if (persist != nullptr && persist->change.drain) stored_ = *persist->change.drain;
    }
  }
  void RunFor(Duration span) {
    for (const MonoTime end = now_ + span; now_ < end;) {
      now_ = std::min(end, std::max(controller_->NextDeadline(), now_ + Milliseconds(1)));
      Take(controller_->Tick(now_));
    }
  }
  NodeRow Row() const { return controller_->status(now_).nodes.front(); }

  std::mt19937_64 random_{1};
  MonoTime now_ = kStart;
  ClusterConfig config_ = [] {
    ClusterConfig config = MakeConfig({{"198.51.100.50/24"}});
    config.services = {{.name = "web", .first_port = 80, .last_port = 80}};
    return config;
  }();
  std::optional<Controller> controller_;
  StoredDrain stored_;
};

}  // namespace

TEST(Drain, WithoutADeadlineItIsNeverOver) {
  Drain drain;
  EXPECT_FALSE(drain.on());
  drain.Set(kStart, {.on = true});
  EXPECT_TRUE(drain.on());
  EXPECT_EQ(drain.deadline(), kNever);
  EXPECT_EQ(drain.Left(kStart), std::nullopt);
  EXPECT_FALSE(drain.Tick(kStart + Seconds(1'000'000)));
  EXPECT_FALSE(drain.over());
}

TEST(Drain, ItIsOverAtItsDeadlineAndNotBefore) {
  Drain drain;
  drain.Set(kStart, {.on = true, .deadline = Seconds(30)});
  EXPECT_EQ(drain.deadline(), kStart + Seconds(30));
  EXPECT_EQ(drain.Left(kStart + Seconds(10)), Seconds(20));
  EXPECT_FALSE(drain.Tick(kStart + Seconds(30) - Milliseconds(1)));
  EXPECT_FALSE(drain.over());
  EXPECT_GT(drain.Left(kStart + Seconds(31)), Duration{}) << "zero says that it is over";
  EXPECT_TRUE(drain.Tick(kStart + Seconds(30)));
  EXPECT_TRUE(drain.over());
  EXPECT_EQ(drain.Left(kStart + Seconds(30)), Duration{});
  EXPECT_FALSE(drain.Tick(kStart + Seconds(31))) << "only once";
  drain.Set(kStart, {});
  EXPECT_FALSE(drain.over());
  EXPECT_EQ(drain.Left(kStart), std::nullopt);
}

TEST(Drain, StoredItBeginsAnewOrStaysOver) {
  Drain drain;
  drain.Set(kStart, {.on = true, .deadline = Seconds(30)});
  Drain next;
  next.Set(kStart + Seconds(20), drain.stored());
  EXPECT_EQ(next.deadline(), kStart + Seconds(50));
  next.Tick(kStart + Seconds(50));
  Drain last;
  last.Set(kStart + Seconds(60), next.stored());
  EXPECT_TRUE(last.over());
}

TEST_F(DrainOrderTest, WithoutOneItTakesTheDeadlineOfTheConfiguration) {
  Drain(true);
  EXPECT_EQ(Row().drain_left, std::nullopt);
  config_.drain_deadline = Seconds(60);
  Take(controller_->OnConfig(now_, config_));
  EXPECT_EQ(Row().drain_left, std::nullopt) << "for later drains";
  Drain(true);
  EXPECT_EQ(Row().drain_left, Seconds(60));
  Drain(true, Seconds(5));
  EXPECT_EQ(Row().drain_left, Seconds(5));
  Drain(true, Duration{});
  EXPECT_EQ(Row().drain_left, std::nullopt);
  EXPECT_TRUE(Row().draining);
}

TEST_F(DrainOrderTest, OnlyAnotherDrainChangesTheDeadline) {
  Drain(true, Seconds(10));
  RunFor(Seconds(4));
  Weigh(3);
  EXPECT_EQ(Row().drain_left, Seconds(6));
  Drain(true, Seconds(10));
  EXPECT_EQ(Row().drain_left, Seconds(10));
  Drain(false);
  EXPECT_EQ(Row().drain_left, std::nullopt);
  RunFor(Seconds(20));
  EXPECT_FALSE(Row().draining);
  EXPECT_EQ(stored_, StoredDrain{});
}

TEST_F(DrainOrderTest, IsRememberedAcrossRestarts) {
  Drain(true, Seconds(10));
  EXPECT_EQ(stored_, (StoredDrain{.on = true, .deadline = Seconds(10)}));
  RunFor(Seconds(4));
  Start(stored_);
  EXPECT_EQ(Row().drain_left, Seconds(10)) << "anew";
  RunFor(Seconds(11));
  EXPECT_EQ(Row().drain_left, Duration{});
  EXPECT_EQ(stored_, (StoredDrain{.on = true, .deadline = Duration{}}));
  Start(stored_);
  EXPECT_EQ(Row().drain_left, Duration{});
}

}  // namespace qure::test
