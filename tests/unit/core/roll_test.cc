// The records of who belongs to the cluster: founded on one node, the same on all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/core/peers.h"

namespace qure::test {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr admission::RecoveryCode kCode = {1, 2, 3};

ClusterConfig OpenCluster(std::string_view name = kCluster) {
  ClusterConfig config = MakeConfig({{"198.51.100.50/24"}});
  config.name = name;
  config.network.security = Security::kOpen;
  return config;
}

class RollTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"n1", "n2", "n3"}) lan_.Add(name, OpenCluster());
    ASSERT_TRUE(lan_.RunUntil([&] { return KnowEachOther(); }));
  }

  bool KnowEachOther() {
    for (size_t i = 0; i < lan_.size(); ++i) {
      if (std::ranges::count(lan_.status(i).nodes, NodeState::kAlive, &NodeRow::state) != 2) return false;
    }
    return true;
  }
  absl::Status Found(size_t node) { return lan_.at(node).Order(lan_.now(), FoundCluster{.code = kCode}); }
  absl::Status Enrol(size_t node) { return lan_.at(node).Order(lan_.now(), EnrolMembers{}); }
  admission::RollStatus Roll(size_t node) { return lan_.status(node).roll; }
  std::vector<NodeId> Belong(size_t node) {
    std::vector<NodeId> ids;
    for (const auto& row : Roll(node).nodes) ids.push_back(row.node);
    return ids;
  }
  NodeId Id(size_t node) { return lan_.at(node).id; }
  auto All() { return UnorderedElementsAre(Id(0), Id(1), Id(2)); }
  bool AllAgree(size_t count) {
    for (size_t i = 0; i < lan_.size(); ++i) {
      if (Roll(i).cluster != Roll(0).cluster || Belong(i) != Belong(0) || Belong(i).size() != count) return false;
    }
    return true;
  }
  void Off(size_t node) {
    lan_.at(node).off = true;
    lan_.Run(Seconds(2));
  }
  void On(size_t node) { lan_.at(node).off = false; }

  Peers lan_;
};

TEST_F(RollTest, NothingIsKeptBeforeItIsFounded) {
  EXPECT_EQ(Roll(0).cluster, std::nullopt);
  EXPECT_NE(Roll(0).own, Roll(1).own);
  EXPECT_THAT(lan_.at(0).stored.records, IsEmpty());
  EXPECT_EQ(Enrol(0).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(RollTest, FoundedOnOneNodeItIsKnownToAll) {
  ASSERT_TRUE(Found(0).ok());
  EXPECT_THAT(Belong(0), All());
  ASSERT_TRUE(lan_.RunUntil([&] { return AllAgree(3); }, Seconds(1)));
  for (size_t i = 0; i < lan_.size(); ++i) {
    EXPECT_THAT(Roll(i).outside, IsEmpty());
    EXPECT_EQ(lan_.at(i).stored.records.size(), 3u) << "the genesis and two admissions, in the store of node " << i;
  }
  EXPECT_EQ(Found(0).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Found(1).code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(RollTest, OneThatWasAwayIsOutsideUntilItIsEnrolled) {
  Off(2);
  ASSERT_TRUE(Found(0).ok());
  EXPECT_THAT(Belong(0), UnorderedElementsAre(Id(0), Id(1)));
  On(2);
  ASSERT_TRUE(lan_.RunUntil([&] { return AllAgree(2) && Roll(1).outside == std::vector{Id(2)}; }));
  EXPECT_EQ(Enrol(2).code(), absl::StatusCode::kPermissionDenied);
  ASSERT_TRUE(Enrol(0).ok());
  EXPECT_TRUE(lan_.RunUntil([&] { return AllAgree(3) && Roll(1).outside.empty(); }));
}

// An id of before there were identities says nothing about whose it is.
TEST_F(RollTest, OnlyTheFounderIsBelievedAboutOldIds) {
  Off(2);
  ASSERT_TRUE(Found(0).ok());
  On(2);
  ASSERT_TRUE(lan_.RunUntil([&] { return AllAgree(2) && Roll(1).outside == std::vector{Id(2)}; }));
  ASSERT_TRUE(Enrol(1).ok());
  lan_.Run(Seconds(1));
  EXPECT_TRUE(AllAgree(2));
}

// Also to one that was away when an operator said so; until it boots again.
TEST_F(RollTest, WhoIsForgottenIsSoForAll) {
  const auto forgotten = [&](size_t viewer) {
    const admission::RollStatus roll = Roll(viewer);
    const auto row = std::ranges::find(roll.nodes, Id(2), &admission::RollStatus::Row::node);
    return row != roll.nodes.end() && row->forgotten;
  };
  const auto shown = [&](size_t viewer) {
    const ControllerStatus status = lan_.status(viewer);
    return std::ranges::find(status.nodes, Id(2), &NodeRow::node) != status.nodes.end();
  };
  ASSERT_TRUE(Found(0).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return AllAgree(3); }));
  Off(2);
  Off(1);
  ASSERT_TRUE(lan_.at(0).Order(lan_.now(), ForgetNode{.node = Id(2)}).ok());
  EXPECT_TRUE(forgotten(0));
  EXPECT_TRUE(shown(1));
  On(1);
  EXPECT_TRUE(lan_.RunUntil([&] { return forgotten(1) && !shown(1); }));
  lan_.Restart(2, "n3", OpenCluster());
  EXPECT_TRUE(lan_.RunUntil([&] { return shown(0) && !forgotten(0) && !forgotten(1); }));
}

TEST_F(RollTest, ARestartKeepsTheRecords) {
  ASSERT_TRUE(Found(0).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return AllAgree(3); }));
  Off(1);
  Off(2);
  lan_.Restart(0, "n1", OpenCluster());
  EXPECT_THAT(Belong(0), All());
}

TEST_F(RollTest, ALostStoreIsFilledAgain) {
  ASSERT_TRUE(Found(0).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return AllAgree(3); }));
  lan_.at(0).stored.records.clear();
  lan_.Restart(0, "n1", OpenCluster());
  EXPECT_THAT(Belong(0), IsEmpty());
  EXPECT_TRUE(lan_.RunUntil([&] { return AllAgree(3); }));
}

TEST_F(RollTest, WhatIsNoRecordInTheStoreIsLeftOutAndSaid) {
  ASSERT_TRUE(Found(0).ok());
  Off(1);
  Off(2);
  std::ranges::sort(lan_.at(0).stored.records, {},
                    [](const auto& record) { return record.at(1); });  // the genesis first
  lan_.at(0).stored.records.back().at(40) ^= 1;
  lan_.at(0).stored.records.push_back({1, 2, 3});
  const Peer& again = lan_.Restart(0, "n1", OpenCluster());
  EXPECT_EQ(Belong(0).size(), 2u);
  EXPECT_EQ(std::ranges::count_if(again.logs, [](const std::string& log) { return log.starts_with("2 records"); }), 1);
}

TEST_F(RollTest, RecordsOfAnotherClusterHaveNoEffect) {
  ASSERT_TRUE(Found(0).ok());
  const auto before = lan_.at(0).stored.records;
  lan_.Restart(0, "n1", OpenCluster("other"));
  EXPECT_EQ(Roll(0).cluster, std::nullopt);
  EXPECT_EQ(Found(0).code(), absl::StatusCode::kAlreadyExists);
  lan_.Run(Seconds(1));
  EXPECT_EQ(lan_.at(0).stored.records, before);
}

TEST_F(RollTest, NothingIsDueForEver) {
  ASSERT_TRUE(Found(0).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return AllAgree(3); }));
  lan_.Run(Seconds(2));
  for (size_t i = 0; i < lan_.size(); ++i) EXPECT_GT(lan_.at(i).controller.NextDeadline(), lan_.now()) << i;
}

// Any holder of the key can say that it is a node that belongs to the cluster.
TEST_F(RollTest, WhoSaysThatItIsAnotherIsOutside) {
  ASSERT_TRUE(Found(0).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return AllAgree(3); }));
  lan_.AddKept({.node_id = {99}, .identity = {{2}}}, "n2", OpenCluster());
  EXPECT_TRUE(lan_.RunUntil([&] { return Roll(0).outside == std::vector{Id(3)}; }));
}

TEST_F(RollTest, FoundedTwiceIsSaidOnBothSides) {
  Off(1);
  Off(2);
  ASSERT_TRUE(Found(0).ok());
  Off(0);
  On(1);
  On(2);
  ASSERT_TRUE(Found(1).ok());
  const auto here = Roll(0).cluster;
  const auto there = Roll(1).cluster;
  On(0);
  EXPECT_TRUE(lan_.RunUntil([&] { return Roll(0).founded_otherwise && Roll(1).founded_otherwise; }));
  EXPECT_EQ(Roll(0).cluster, here);
  EXPECT_EQ(Roll(1).cluster, there);
}

}  // namespace
}  // namespace qure::test
