// What several nodes know of each other.
#include "tests/unit/core/peers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace qure::test {
namespace {

ClusterConfig OpenCluster() {
  ClusterConfig config = MakeConfig({{"198.51.100.50/24"}});
  config.network.security = Security::kOpen;
  return config;
}

class FieldD8 : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"n1", "n2", "n3"}) lan_.Add(name, OpenCluster());
    ASSERT_TRUE(lan_.RunUntil([&] { return Knows(0, 1) && Knows(0, 2) && Knows(1, 0) && Knows(1, 2); }));
  }
  std::optional<NodeState> StateOf(size_t viewer, size_t node) {
    const ControllerStatus status = lan_.status(viewer);
    const auto row = std::ranges::find(status.nodes, lan_.at(node).id, &NodeRow::node);
    return row == status.nodes.end() ? std::nullopt : std::optional(row->state);
  }
  bool Knows(size_t viewer, size_t node) { return StateOf(viewer, node) == NodeState::kAlive; }
  absl::Status Forget(size_t viewer, size_t node) {
    return lan_.at(viewer).Order(lan_.now(), ForgetNode{.node = lan_.at(node).id});
  }

  Peers lan_;
};

// The cluster has no services: such commands need none.
TEST_F(FieldD8, ADeadNodeIsForgottenOnAllNodes) {
  lan_.at(2).off = true;
  ASSERT_TRUE(lan_.RunUntil([&] { return StateOf(0, 2) == NodeState::kDown && StateOf(1, 2) == NodeState::kDown; }));
  ASSERT_TRUE(Forget(0, 2).ok());
  EXPECT_EQ(StateOf(0, 2), std::nullopt);
  EXPECT_TRUE(lan_.RunUntil([&] { return StateOf(1, 2) == std::nullopt; }));
  // Nothing is left to do for it.
  lan_.Run(Seconds(2));
  EXPECT_GE(lan_.at(0).controller.NextDeadline(), lan_.now());
}

TEST_F(FieldD8, OneThatComesBackIsKnownAgain) {
  lan_.at(2).off = true;
  ASSERT_TRUE(lan_.RunUntil([&] { return StateOf(0, 2) == NodeState::kDown; }));
  ASSERT_TRUE(Forget(0, 2).ok());
  lan_.at(2).off = false;
  EXPECT_TRUE(lan_.RunUntil([&] { return Knows(0, 2) && Knows(1, 2); }));
}

TEST_F(FieldD8, ANodeThatIsPresentIsNotForgotten) {
  EXPECT_EQ(Forget(0, 1).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Forget(0, 0).code(), absl::StatusCode::kFailedPrecondition);
  lan_.Run(Seconds(1));
  EXPECT_TRUE(Knows(0, 1));
  EXPECT_TRUE(Knows(2, 1));
}

}  // namespace
}  // namespace qure::test
