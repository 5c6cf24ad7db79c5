// What a worker reports of its flows, learns of others', and forgets.
#include "dataplane/pipeline/flow_keeper.h"

#include <gtest/gtest.h>

#include <memory>

#include "tests/support/harness.h"

namespace qure::testing {
namespace {

class FlowKeeperTest : public ::testing::Test {
 protected:
  FlowKeeperTest() {
    snapshot_.balance = OneOwner(kPeer1, kPeer2);  // so whatever is ours is a pinned flow
  }

  static FlowKey Key(uint16_t port) {
    return {MappedAddress(kClient4), Be16(port), Be16(uint16_t{80}), /*local_address=*/1, kProtocolTcp};
  }
  FlowTable& table() { return *keeper_.memory().table; }
  FlowEntry* Enter(uint16_t port, NodeSlot owner, FlowState state = FlowState::kEstablished) {
    FlowEntry* const entry = table().Insert(Key(port), table().HashOf(Key(port)), FlowTimeOf(now_));
    entry->owner = owner;
    entry->state = state;
    return entry;
  }
  const FlowEntry* Find(uint16_t port) { return table().Find(Key(port), table().HashOf(Key(port)), FlowTimeOf(now_)); }
  void Round(Duration after) {
    now_ = now_ + after;
    keeper_.Round(now_, snapshot_);
  }
  // Until every flow has been looked at in this round of reports.
  void Pass(uint8_t round) {
    auto balance = std::make_shared<Balance>(*snapshot_.balance);
    balance->report_round = round;
    snapshot_.balance = balance;
    for (int i = 0; i < 1000 && progress_.flow_round.value() != round; ++i) Round(Milliseconds(100));
    ASSERT_EQ(progress_.flow_round.value(), round);
  }
  FlowOptions Options() {
    return {.flows = 1000,
            .seed = kFlowSeed,
            .report =
                [this](const PinnedFlow& flow) {
                  if (reports_.size() == room_) return false;
                  reports_.push_back(flow);
                  return true;
                },
            .question = &question_};
  }

  Snapshot snapshot_ = SiteSnapshot();
  MonoTime now_{Seconds(100).ns};
  std::vector<PinnedFlow> reports_;
  size_t room_ = 100;
  FlowLookup question_;
  std::unique_ptr<WorkerCounters> counters_ = std::make_unique<WorkerCounters>();
  WorkerProgress progress_;
  FlowKeeper keeper_{Options(), counters_.get(), &progress_};
};

}  // namespace

TEST_F(FlowKeeperTest, TellsOfWhatItServesThoughTheTableNamesAnother) {
  Enter(1, kSelfSlot);
  Enter(2, kPeer1);
  Enter(3, kSelfSlot, FlowState::kOpening);
  Enter(4, kSelfSlot, FlowState::kClosing);
  Pass(1);
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].key, Key(1));
  EXPECT_EQ(counters_->flows_by_owner[kSelfSlot].value(), 3);
  EXPECT_EQ(counters_->flows_by_owner[kPeer1].value(), 1);
}

TEST_F(FlowKeeperTest, TellsOfEachOncePerRound) {
  Enter(1, kSelfSlot);
  Pass(1);
  for (int i = 0; i < 500; ++i) Round(Milliseconds(100));
  EXPECT_EQ(reports_.size(), 1U);
  Pass(2);
  EXPECT_EQ(reports_.size(), 2U);
}

TEST_F(FlowKeeperTest, WhatTheTableGivesItIsNotTold) {
  snapshot_.balance = OneOwner(kSelfSlot, kPeer2);
  Enter(1, kSelfSlot);
  Pass(1);
  EXPECT_TRUE(reports_.empty());
}

TEST_F(FlowKeeperTest, ARoundIsNotDoneWhileReportsFindNoRoom) {
  for (uint16_t port = 1; port <= 10; ++port) Enter(port, kSelfSlot);
  room_ = 4;
  auto balance = std::make_shared<Balance>(*snapshot_.balance);
  balance->report_round = 1;
  snapshot_.balance = balance;
  for (int i = 0; i < 100; ++i) Round(Milliseconds(100));
  EXPECT_NE(progress_.flow_round.value(), 1);
  EXPECT_EQ(reports_.size(), 4U);
  room_ = 100;
  Pass(1);
  EXPECT_EQ(reports_.size(), 10U);
}

TEST_F(FlowKeeperTest, LearnsButBelievesWhatItHasSeen) {
  keeper_.Learn(now_, {.key = Key(1), .owner = kPeer2});
  ASSERT_NE(Find(1), nullptr);
  EXPECT_EQ(Find(1)->owner, kPeer2);
  EXPECT_TRUE(Find(1)->pinned);
  Enter(2, kPeer1);
  keeper_.Learn(now_, {.key = Key(2), .owner = kPeer2});
  EXPECT_EQ(Find(2)->owner, kPeer1);
}

TEST_F(FlowKeeperTest, AnswersQuestions) {
  Enter(1, kPeer2);
  question_.key = Key(1);
  question_.state = FlowLookup::State::kAsked;
  Round(Milliseconds(1));
  ASSERT_EQ(question_.state, FlowLookup::State::kKnown);
  EXPECT_EQ(question_.entry.owner, kPeer2);
  question_.key = Key(2);
  question_.state = FlowLookup::State::kAsked;
  Round(Milliseconds(1));
  EXPECT_EQ(question_.state, FlowLookup::State::kUnknown);
}

TEST_F(FlowKeeperTest, AnswersWhoHasTheMostAsOfTheLastWholePass) {
  Enter(1, kSelfSlot);
  Enter(2, kPeer1);
  Enter(3, kPeer1, FlowState::kOpening);
  for (int i = 0; i < 300; ++i) Round(Milliseconds(100));  // some passes
  Enter(4, kPeer1);
  question_.state = FlowLookup::State::kAskedTop;
  Round(Milliseconds(1));
  ASSERT_EQ(question_.state, FlowLookup::State::kKnown);
  ASSERT_EQ(question_.top.count, 1U);
  const TopRemote& top = question_.top.remotes[0];
  EXPECT_EQ(top.remote, MappedAddress(kClient4));
  EXPECT_EQ(top.flows, 2U) << "the opening one was forgotten";
  EXPECT_EQ(top.parts[0].service, 1U);
}

TEST_F(FlowKeeperTest, ForgetsFlowsThatAreGivenUp) {
  Enter(1, kPeer1);
  Enter(2, kPeer2);
  Enter(3, kSelfSlot);
  auto balance = std::make_shared<Balance>(*snapshot_.balance);
  balance->nodes[kPeer1].given_up = true;
  balance->nodes[kSelfSlot].given_up = true;
  snapshot_.balance = balance;
  Pass(1);
  EXPECT_EQ(Find(1), nullptr);
  EXPECT_NE(Find(2), nullptr);
  EXPECT_EQ(Find(3), nullptr);
  EXPECT_TRUE(reports_.empty());
}

class FieldB1 : public FlowKeeperTest {};

// A node that works again must not claim the datagrams that went elsewhere meanwhile.
TEST_F(FieldB1, WhatLeavesIsForgottenAndNotReported) {
  Enter(1, kSelfSlot)->key.protocol = kProtocolUdp;
  Enter(2, kSelfSlot, FlowState::kOpening);
  Enter(3, kSelfSlot);
  auto services = std::make_shared<ServiceMap>(*snapshot_.services);
  services->Add({.name = "datagrams", .protocol = kProtocolUdp, .first_port = 80, .last_port = 80});
  snapshot_.services = services;
  auto balance = std::make_shared<Balance>(*OneOwner(kPeer1, kPeer2, 2));
  balance->unhealthy.resize(2);
  for (auto& nodes : balance->unhealthy) nodes.set(kSelfSlot);
  snapshot_.balance = balance;
  Pass(2);
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].key, Key(3));
  EXPECT_EQ(table().counts().flows, 1U);
}

class FieldB3 : public FlowKeeperTest {};

// Otherwise it were forgotten though its owner reports it: what this node has seen of it is a cache.
TEST_F(FieldB3, WhatItsOwnerVouchesForStays) {
  Enter(1, kPeer2);
  keeper_.Learn(now_, {.key = Key(1), .owner = kPeer2});
  EXPECT_TRUE(Find(1)->pinned);
  Enter(2, kPeer1);
  keeper_.Learn(now_, {.key = Key(2), .owner = kPeer2});
  EXPECT_EQ(Find(2)->owner, kPeer1) << "an earlier flow of this socket";
  EXPECT_FALSE(Find(2)->pinned);
}

TEST_F(FlowKeeperTest, ForgetsIdleFlows) {
  Enter(1, kPeer1, FlowState::kOpening);
  Round(Seconds(60));
  for (int i = 0; i < 300; ++i) Round(Milliseconds(100));
  EXPECT_EQ(counters_->flows.value(), 0);
  EXPECT_EQ(counters_->flows_expired.value(), 1);
}

TEST_F(FlowKeeperTest, WatchesForHeavyHittersWithItsPartOfTheThreshold) {
  auto balance = std::make_shared<Balance>(*snapshot_.balance);
  balance->heavy_hitter = 10;
  snapshot_.balance = balance;
  FlowOptions options = Options();
  options.workers = 2;
  FlowKeeper keeper(options, counters_.get(), &progress_);
  keeper.Round(now_, snapshot_);
  for (int i = 0; i < 4; ++i) keeper.memory().heavy_hitters->Note(MappedAddress(kClient4));
  EXPECT_TRUE(keeper.TakeSightings().empty());
  keeper.memory().heavy_hitters->Note(MappedAddress(kClient4));
  EXPECT_EQ(keeper.TakeSightings().size(), 1U);
}

}  // namespace qure::testing
