// The configuration that all nodes have, by the frames between them.
#include "control/core/config/shared_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "control/core/admission/codes.h"
#include "tests/unit/core/peers.h"

namespace qure::test {
namespace {

using clusterconfig::Stage;
using testing::HasSubstr;

constexpr char kFirst[] = "first = 1\n";
constexpr char kSecond[] = "second = 2\n";

ClusterConfig Keyed() {
  ClusterConfig config = MakeConfig({{"198.51.100.50/24"}});
  config.network.key = ClusterKey{7};
  return config;
}

class SharedConfigTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* const name : {"n1", "n2", "n3"}) lan_.Add(name, config_);
    ASSERT_TRUE(lan_.RunUntil([&] { return lan_.status(0).nodes.size() == 3 && MasterIs(Master()); }));
    ASSERT_TRUE(lan_.at(0).Order(lan_.now(), FoundCluster{.code = {1}}).ok());
    ASSERT_TRUE(lan_.RunUntil([&] { return AllPossible(); }));
    lan_.Run(Milliseconds(300));
  }

  size_t Master() {
    for (size_t i = 0; i < lan_.size(); ++i) {
      if (!lan_.at(i).off && lan_.status(i).role == NodeRole::kMaster) return i;
    }
    return 0;
  }
  size_t Follower() { return (Master() + 1) % lan_.size(); }
  bool MasterIs(size_t node) {
    const NodeId id = lan_.at(node).id;
    for (size_t i = 0; i < lan_.size(); ++i) {
      if (!lan_.at(i).off && lan_.status(i).master != id) return false;
    }
    return true;
  }
  bool AllPossible() {
    for (size_t i = 0; i < lan_.size(); ++i) {
      if (!lan_.status(i).config.possible || lan_.status(i).roll.nodes.size() != lan_.size()) return false;
    }
    return true;
  }
  absl::Status Propose(size_t node, const std::string& body, std::optional<Duration> confirm = std::nullopt) {
    return lan_.at(node).Order(
        lan_.now(), ProposeConfig{.id = 9, .body = std::make_shared<const std::string>(body), .confirm = confirm});
  }
  bool Answered(size_t node) {
    return lan_.RunUntil([&] { return !lan_.at(node).answers.empty(); }, Seconds(12));
  }
  // All that are on run `body`, and know it.
  bool AllRun(const std::string& body, Duration within = Seconds(3)) {
    return lan_.RunUntil(
        [&] {
          for (size_t i = 0; i < lan_.size(); ++i) {
            if (!lan_.at(i).off && lan_.at(i).applied != body) return false;
          }
          return true;
        },
        within);
  }

  ClusterConfig config_ = Keyed();
  Peers lan_;
};

TEST_F(SharedConfigTest, NothingIsAskedOfTheHostUntilOneIsAdopted) {
  lan_.Run(Seconds(2));
  for (size_t i = 0; i < lan_.size(); ++i) {
    EXPECT_EQ(lan_.at(i).applied, "");
    EXPECT_FALSE(lan_.status(i).config.in_effect);
  }
}

TEST_F(SharedConfigTest, MadeOnAnyNodeItIsOnAll) {
  const size_t maker = Follower();
  ASSERT_TRUE(Propose(maker, kFirst).ok());
  ASSERT_TRUE(Answered(maker));
  EXPECT_FALSE(lan_.at(maker).answers[0].refusal) << lan_.at(maker).answers[0].refusal->reason;
  EXPECT_EQ(lan_.at(maker).answers[0].id, 9u);
  EXPECT_TRUE(AllRun(kFirst));
  lan_.Run(Seconds(1));
  for (size_t i = 0; i < lan_.size(); ++i) {
    const ControllerStatus status = lan_.status(i);
    ASSERT_TRUE(status.config.in_effect) << i;
    EXPECT_EQ(status.config.in_effect->stage, Stage::kConfirmed);
    EXPECT_EQ(status.config.running, status.config.in_effect->version);
    EXPECT_FALSE(status.config.pending);
    for (const NodeRow& row : status.nodes) EXPECT_EQ(row.config_running, status.config.running->check) << row.name;
  }
}

// Who is to be revoked can begin one again whenever one ends.
TEST_F(SharedConfigTest, AChangeThatWaitsDoesNotKeepItsMakerIn) {
  ASSERT_TRUE(Propose(Master(), kFirst).ok());
  ASSERT_TRUE(AllRun(kFirst));
  lan_.Run(Seconds(1));
  const size_t gone = Follower();
  ASSERT_TRUE(Propose(gone, kSecond, Seconds(60)).ok());
  ASSERT_TRUE(AllRun(kSecond));
  const size_t master = Master();
  ASSERT_TRUE(lan_.status(master).config.pending);
  const RevokeNodes revoke{.nodes = {*lan_.status(gone).roll.own}, .code = {1}, .why = "stolen"};
  EXPECT_TRUE(lan_.at(master).Order(lan_.now(), revoke).ok());
  EXPECT_EQ(lan_.status(master).roll.generation, 1u);
  EXPECT_EQ(lan_.status(master).roll.nodes.size(), 2u);
  lan_.Run(Seconds(70));
  ASSERT_TRUE(lan_.status(master).config.in_effect);
  EXPECT_EQ(lan_.at(master).applied, kFirst) << "it was not confirmed";
}

TEST_F(SharedConfigTest, RefusedByOneItIsOnNone) {
  const size_t refuses = Follower();
  lan_.at(refuses).bad_body = kFirst;
  ASSERT_TRUE(Propose(Master(), kFirst).ok());
  ASSERT_TRUE(Answered(Master()));
  const clusterconfig::Answered answer = lan_.at(Master()).answers[0];
  ASSERT_TRUE(answer.refusal);
  EXPECT_EQ(answer.refusal->where, "config:1: key");
  EXPECT_EQ(answer.node, lan_.at(refuses).id);
  lan_.Run(Seconds(1));
  for (size_t i = 0; i < lan_.size(); ++i) EXPECT_EQ(lan_.at(i).applied, "") << i;
}

TEST_F(SharedConfigTest, NotConfirmedItIsRolledBack) {
  ASSERT_TRUE(Propose(Follower(), kFirst).ok());
  ASSERT_TRUE(AllRun(kFirst));
  ASSERT_TRUE(Propose(Master(), kSecond, Seconds(3)).ok());
  ASSERT_TRUE(AllRun(kSecond));
  lan_.Run(Milliseconds(200));
  const ControllerStatus status = lan_.status(Follower());
  ASSERT_TRUE(status.config.pending);
  EXPECT_EQ(status.config.pending->stage, Stage::kOpen);
  EXPECT_LE(*status.config.pending->left, Seconds(3));
  EXPECT_TRUE(AllRun(kFirst, Seconds(4)));
  EXPECT_FALSE(lan_.status(0).config.pending);
}

TEST_F(SharedConfigTest, TheFirstOneIsRolledBackToEachNodesFile) {
  ASSERT_TRUE(Propose(Master(), kFirst, Seconds(2)).ok());
  ASSERT_TRUE(AllRun(kFirst));
  EXPECT_TRUE(AllRun("", Seconds(4)));
}

TEST_F(SharedConfigTest, ConfirmedOnAnyNodeItStays) {
  ASSERT_TRUE(Propose(Master(), kFirst, Seconds(3)).ok());
  ASSERT_TRUE(AllRun(kFirst));
  lan_.Run(Milliseconds(200));
  const size_t confirms = Follower();
  ASSERT_TRUE(lan_.at(confirms).Order(lan_.now(), ConfirmConfig{.id = 4}).ok());
  ASSERT_TRUE(Answered(confirms));
  EXPECT_EQ(lan_.at(confirms).answers[0].id, 4u);
  lan_.Run(Seconds(5));
  for (size_t i = 0; i < lan_.size(); ++i) {
    EXPECT_EQ(lan_.at(i).applied, kFirst);
    EXPECT_EQ(lan_.status(i).config.in_effect->stage, Stage::kConfirmed);
  }
  EXPECT_FALSE(lan_.at(confirms).Order(lan_.now(), ConfirmConfig{}).ok()) << "nothing waits for it";
}

TEST_F(SharedConfigTest, GivenUpOnAnyNodeItIsRolledBackOnAll) {
  ASSERT_TRUE(Propose(Master(), kFirst, Seconds(60)).ok());
  ASSERT_TRUE(AllRun(kFirst));
  lan_.Run(Milliseconds(200));
  ASSERT_TRUE(lan_.at(Follower()).Order(lan_.now(), AbortConfig{}).ok());
  EXPECT_TRUE(AllRun(""));
  EXPECT_FALSE(lan_.at(Follower()).Order(lan_.now(), AbortConfig{}).ok());
}

TEST_F(SharedConfigTest, ANodeThatWasAwayGetsItWhenItIsBack) {
  const size_t away = Follower();
  lan_.at(away).off = true;
  lan_.Run(Seconds(3));
  ASSERT_TRUE(Propose(Master(), kFirst).ok());
  ASSERT_TRUE(AllRun(kFirst));
  lan_.Restart(away, "back", Keyed());
  EXPECT_TRUE(lan_.RunUntil([&] { return lan_.at(away).applied == kFirst; }, Seconds(4)));
}

// Its host begins with it, and is asked for it at once.
TEST_F(SharedConfigTest, ARestartedNodeRunsWhatItRanBefore) {
  ASSERT_TRUE(Propose(Master(), kFirst).ok());
  ASSERT_TRUE(AllRun(kFirst));
  lan_.Run(Seconds(1));
  StoredState stored = lan_.at(1).stored;
  stored.config = lan_.at(1).config_disk.Read();
  const auto effect = clusterconfig::InEffectAtStart(stored, ClusterIdFromName(kCluster));
  ASSERT_TRUE(effect);
  EXPECT_EQ(*effect->body, kFirst);
  EXPECT_FALSE(clusterconfig::InEffectAtStart(stored, ClusterIdFromName("another")));
  EXPECT_EQ(lan_.Restart(1, "n2", Keyed()).applied, kFirst);
}

TEST_F(SharedConfigTest, ANodeThatCannotRunItDoesNotLead) {
  const size_t master = Master();
  const size_t unfit = Follower();
  lan_.at(unfit).unfit_body = kFirst;
  ASSERT_TRUE(lan_.at(master)
                  .Order(lan_.now(),
                         ProposeConfig{.id = 1, .body = std::make_shared<const std::string>(kFirst), .canary = false})
                  .ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return lan_.status(unfit).config.unable.has_value(); }, Seconds(3)));
  lan_.Run(Milliseconds(300));
  const ControllerStatus status = lan_.status(master);
  const auto row = std::ranges::find(status.nodes, lan_.at(unfit).id, &NodeRow::node);
  ASSERT_NE(row, status.nodes.end());
  EXPECT_TRUE(row->config_unable);
  lan_.at(master).off = true;
  const size_t last = 3 - master - unfit;
  EXPECT_TRUE(lan_.RunUntil([&] { return lan_.status(last).role == NodeRole::kMaster; }, Seconds(5)));
  EXPECT_NE(lan_.status(unfit).role, NodeRole::kMaster);
  // It is tried again.
  lan_.at(unfit).unfit_body = "";
  EXPECT_TRUE(lan_.RunUntil([&] { return lan_.at(unfit).applied == kFirst; }, Seconds(40)));
  EXPECT_FALSE(lan_.status(unfit).config.unable);
}

TEST_F(SharedConfigTest, ANodeThatIsTakenInGetsIt) {
  ASSERT_TRUE(Propose(Master(), kFirst).ok());
  ASSERT_TRUE(AllRun(kFirst));
  ClusterConfig joining = MakeConfig({});
  joining.network.join = JoinConfig{};
  lan_.AddNew("n4", joining);
  const std::string code = admission::CodeOf(*lan_.status(3).roll.own);
  ASSERT_TRUE(lan_.at(0).Order(lan_.now(), AdmitNode{.code = code}).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return lan_.at(3).new_boot; }, Seconds(5)));
  lan_.Restart(3, "n4", joining);
  EXPECT_TRUE(lan_.RunUntil([&] { return lan_.at(3).applied == kFirst; }, Seconds(6)));
}

TEST_F(SharedConfigTest, NothingIsDueForEver) {
  ASSERT_TRUE(Propose(Follower(), kFirst, Seconds(2)).ok());
  for (int i = 0; i < 4000; ++i) {
    lan_.Step();
    for (size_t peer = 0; peer < lan_.size(); ++peer) {
      ASSERT_GT(lan_.at(peer).controller.NextDeadline(), lan_.now() - Milliseconds(2)) << peer;
    }
  }
}

// There is a gateway, and the second body names another one.
class SharedConfigBehindAGateway : public SharedConfigTest {
 protected:
  SharedConfigBehindAGateway() {
    lan_.gateway = Ip("198.51.100.1").v4();
    config_.gateways = {*lan_.gateway};
  }
  void SetUp() override {
    SharedConfigTest::SetUp();
    ClusterConfig elsewhere = config_;
    elsewhere.gateways = {Ip("198.51.100.77")};
    for (size_t i = 0; i < lan_.size(); ++i) lan_.at(i).meanings = {{kFirst, config_}, {kSecond, elsewhere}};
    ASSERT_TRUE(Propose(Master(), kFirst).ok());
    ASSERT_TRUE(Answered(Master()));
    ASSERT_FALSE(lan_.at(Master()).answers[0].refusal);
    ASSERT_TRUE(AllRun(kFirst));
    lan_.at(Master()).answers.clear();
  }
  size_t RunTheSecond() {
    size_t count = 0;
    for (size_t i = 0; i < lan_.size(); ++i) count += lan_.at(i).applied == kSecond ? 1 : 0;
    return count;
  }
};

TEST_F(SharedConfigBehindAGateway, AGatewayThatNobodyHasIsFoundByTheFirstNodeThatTries) {
  const size_t master = Master();
  ASSERT_TRUE(Propose(master, kSecond).ok());
  size_t most = 0;
  ASSERT_TRUE(lan_.RunUntil(
      [&] {
        most = std::max(most, RunTheSecond());
        return !lan_.at(master).answers.empty();
      },
      Seconds(8)));
  ASSERT_TRUE(lan_.at(master).answers[0].refusal);
  EXPECT_THAT(lan_.at(master).answers[0].refusal->reason, HasSubstr("gateway"));
  EXPECT_EQ(most, 1u);
  EXPECT_NE(lan_.at(master).answers[0].node, lan_.at(master).id);
  EXPECT_TRUE(AllRun(kFirst));
}

TEST_F(SharedConfigBehindAGateway, WhatWasAwayBeforeIsNoReasonToRefuse) {
  const size_t master = Master();
  lan_.gateway.reset();
  ASSERT_TRUE(Propose(master, kSecond).ok());
  ASSERT_TRUE(Answered(master));
  EXPECT_FALSE(lan_.at(master).answers[0].refusal);
}

TEST(SharedConfigAlone, WithoutRecordsThereIsNone) {
  Peers lan;
  lan.Add("n1", Keyed());
  lan.Run(Seconds(2));
  const absl::Status refused =
      lan.at(0).Order(lan.now(), ProposeConfig{.body = std::make_shared<const std::string>(kFirst)});
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("cluster found"));
}

TEST(SharedConfigAlone, ALoneMemberConfiguresItself) {
  Peers lan;
  lan.Add("n1", Keyed());
  lan.Run(Seconds(2));
  ASSERT_TRUE(lan.at(0).Order(lan.now(), FoundCluster{.code = {1}}).ok());
  lan.Run(Seconds(1));
  ASSERT_TRUE(lan.at(0).Order(lan.now(), ProposeConfig{.body = std::make_shared<const std::string>(kFirst)}).ok());
  EXPECT_TRUE(lan.RunUntil([&] { return lan.at(0).applied == kFirst; }, Seconds(4)));
}

}  // namespace
}  // namespace qure::test
