// What the workers of another node know of a flow: asking by itself, and two controllers that hear each other.
#include "control/core/balance/flow_querier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "control/core/timers.h"
#include "tests/unit/core/pair.h"
#include "tests/unit/core/support.h"

namespace qure::test {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::string_view kA = "198.51.100.50/24";
constexpr std::string_view kB = "198.51.100.51/24";

FlowKey Key(uint8_t local_address) {
  FlowKey key;
  key.remote = MappedAddress({{203, 0, 113, 7}});
  key.remote_port = Be16(40000);
  key.local_port = Be16(80);
  key.local_address = local_address;
  key.protocol = kProtocolTcp;
  return key;
}

// Two nodes that number their addresses differently; one leads.
class FlowQuerierTest : public ::testing::Test {
 protected:
  void SetUp() override {
    RunUntil([&] { return Leads(first_) ? Follows(second_, first_) : Leads(second_) && Follows(first_, second_); });
    master_ = Leads(first_) ? &first_ : &second_;
    member_ = Leads(first_) ? &second_ : &first_;
    RunUntil([&] { return member_->SlotOf(now_, master_->id) && master_->SlotOf(now_, member_->id); });
    ASSERT_NE(master_->IdOf(kA), member_->IdOf(kA));
  }

  bool Leads(const Side& side) const { return side.controller.status(now_).master == side.id; }
  bool Follows(const Side& side, const Side& master) const { return side.controller.status(now_).master == master.id; }

  void Step() {
    now_ = now_ + Milliseconds(1);
    Pump(now_, &first_, &second_, cut_);
  }
  template <typename Condition>
  void RunUntil(Condition done) {
    const MonoTime end = now_ + Seconds(20);
    while (!done() && now_ < end) Step();
    ASSERT_TRUE(done());
  }
  void Run(Duration span) {
    for (const MonoTime end = now_ + span; now_ < end;) Step();
  }
  void AskMaster(uint64_t id, const FlowKey& key) { member_->Ask(now_, id, key, *member_->SlotOf(now_, master_->id)); }
  void Find(Side* side, const std::optional<FlowEntry>& found) {
    for (const LookUpFlow& lookup : std::exchange(side->lookups, {})) {
      side->Do(now_, side->controller.OnFlowFound(now_, lookup, found));
    }
  }

  MonoTime now_ = kStart;
  bool cut_ = false;
  Side first_{1, {{kA}, {kB}}};
  Side second_{2, {{kB}, {kA}}};
  Side* master_ = nullptr;
  Side* member_ = nullptr;
};

}  // namespace

TEST_F(FlowQuerierTest, TheMastersWorkersAreAskedInItsOwnNumbers) {
  AskMaster(5, Key(member_->IdOf(kA)));
  RunUntil([&] { return !master_->lookups.empty(); });
  EXPECT_THAT(member_->lookups, IsEmpty());
  EXPECT_EQ(master_->lookups[0].client, member_->id);
  EXPECT_EQ(master_->lookups[0].key, Key(master_->IdOf(kA)));
  Find(master_, FlowEntry{.key = Key(master_->IdOf(kA)),
                          .owner = *master_->SlotOf(now_, member_->id),
                          .state = FlowState::kEstablished,
                          .pinned = true,
                          .seen = {77}});
  RunUntil([&] { return !member_->answers.empty(); });
  const FlowAnswered& answer = member_->answers[0];
  EXPECT_EQ(answer.id, 5);
  EXPECT_TRUE(answer.answered);
  ASSERT_TRUE(answer.flow);
  EXPECT_EQ(answer.flow->key, Key(member_->IdOf(kA)));
  EXPECT_EQ(answer.flow->owner, kSelfSlot);
  EXPECT_EQ(answer.flow->state, FlowState::kEstablished);
  EXPECT_TRUE(answer.flow->pinned);
}

TEST_F(FlowQuerierTest, AFlowOfTheMasterAndOneThatIsUnknown) {
  AskMaster(1, Key(member_->IdOf(kB)));
  RunUntil([&] { return !master_->lookups.empty(); });
  Find(master_, FlowEntry{.owner = kSelfSlot, .state = FlowState::kDatagrams});
  RunUntil([&] { return !member_->answers.empty(); });
  EXPECT_EQ(member_->answers[0].flow->owner, *member_->SlotOf(now_, master_->id));
  EXPECT_EQ(member_->answers[0].flow->state, FlowState::kDatagrams);
  EXPECT_FALSE(member_->answers[0].flow->pinned);

  member_->answers.clear();
  AskMaster(2, Key(member_->IdOf(kB)));
  RunUntil([&] { return !master_->lookups.empty(); });
  Find(master_, std::nullopt);
  RunUntil([&] { return !member_->answers.empty(); });
  EXPECT_EQ(member_->answers[0].id, 2);
  EXPECT_TRUE(member_->answers[0].answered);
  EXPECT_FALSE(member_->answers[0].flow);
}

TEST_F(FlowQuerierTest, TheMasterAsksItsOwnWorkers) {
  master_->Ask(now_, 9, Key(master_->IdOf(kA)));
  ASSERT_THAT(master_->lookups, SizeIs(1));
  EXPECT_EQ(master_->lookups[0].key, Key(master_->IdOf(kA)));
  Find(master_, FlowEntry{.owner = 1, .state = FlowState::kClosing});
  ASSERT_THAT(master_->answers, SizeIs(1));
  EXPECT_EQ(master_->answers[0].id, 9);
  EXPECT_EQ(master_->answers[0].flow->owner, 1);
  Run(kFlowQueryInterval * (kFlowQueryTries + 1));
  EXPECT_THAT(member_->lookups, IsEmpty());
}

TEST_F(FlowQuerierTest, AWordThatIsLostIsSaidAgainAndAnsweredOnce) {
  cut_ = true;
  AskMaster(3, Key(member_->IdOf(kA)));
  Run(Milliseconds(5));
  cut_ = false;
  RunUntil([&] { return !master_->lookups.empty(); });
  Run(kFlowQueryInterval);
  EXPECT_THAT(master_->lookups, SizeIs(2));
  Find(master_, std::nullopt);
  Run(kFlowQueryInterval * (kFlowQueryTries + 1));
  EXPECT_THAT(master_->lookups, IsEmpty());
  ASSERT_THAT(member_->answers, SizeIs(1));
  EXPECT_TRUE(member_->answers[0].answered);
}

TEST_F(FlowQuerierTest, AMasterThatDoesNotAnswerIsGivenUp) {
  const MonoTime asked = now_;
  AskMaster(4, Key(member_->IdOf(kA)));
  RunUntil([&] { return !member_->answers.empty(); });
  EXPECT_EQ(member_->answers[0].id, 4);
  EXPECT_FALSE(member_->answers[0].answered);
  EXPECT_FALSE(member_->answers[0].flow);
  EXPECT_GE(now_, asked + kFlowQueryInterval * kFlowQueryTries);
  EXPECT_LT(now_, asked + kFlowQueryInterval * (kFlowQueryTries + 1));
  EXPECT_THAT(master_->lookups, SizeIs(kFlowQueryTries));
  Find(master_, std::nullopt);  // too late
  Run(Milliseconds(5));
  EXPECT_THAT(member_->answers, SizeIs(1));
}

TEST_F(FlowQuerierTest, AnAddressThatTheMasterDoesNotHaveHasNoFlows) {
  ClusterConfig config = member_->controller.config();
  config.addresses.push_back({.candidates = {Prefix("198.51.100.52/24")}});
  member_->Do(now_, member_->controller.OnConfig(now_, config));
  AskMaster(6, Key(member_->IdOf("198.51.100.52/24")));
  RunUntil([&] { return !master_->lookups.empty(); });
  EXPECT_EQ(master_->lookups[0].key, Key(0));
}

TEST_F(FlowQuerierTest, WhoLeavesRequestsUnansweredIsAskedForASignOfLife) {
  const auto state = [&] {
    const ControllerStatus status = member_->controller.status(now_);
    return std::ranges::find(status.nodes, master_->id, &NodeRow::node)->state;
  };
  ASSERT_EQ(state(), NodeState::kAlive);
  const Event event{.kind = EventKind::kUnanswered, .slot = *member_->SlotOf(now_, master_->id)};
  member_->Do(now_, member_->controller.OnEvent(now_, event));
  EXPECT_EQ(state(), NodeState::kSuspect);
  RunUntil([&] { return state() == NodeState::kAlive; });
}

TEST_F(FlowQuerierTest, ANodeAloneAsksItsOwnWorkers) {
  Side alone(3, {{kA}});
  ClusterConfig config = alone.controller.config();
  config.network.security = Security::kSealed;
  alone.Do(now_, alone.controller.OnConfig(now_, config));
  alone.Ask(now_, 8, Key(alone.IdOf(kA)));
  EXPECT_THAT(alone.lookups, SizeIs(1));
}

}  // namespace qure::test
