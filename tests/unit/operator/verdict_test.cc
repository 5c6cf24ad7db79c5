#include "control/operator/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/qurectl/tables.h"
#include "tests/support/sample_node.h"

namespace qure {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr const char* kAddress = "198.51.100.50";

// The status of a cluster of two that is well, as its master sees it.
NodeStatus Well() {
  NodeStatus node = SampleMaster();
  node.controller.claims = {SampleClaim("198.51.100.50/24", ClaimState::kHeld)};
  node.controller.held = {*ParsePrefix("198.51.100.50/24")};
  node.controller.nodes.pop_back();
  return node;
}
// The same as its deputy sees it.
NodeStatus WellAtTheDeputy() {
  NodeStatus node = Well();
  ControllerStatus& core = node.controller;
  core.role = NodeRole::kDeputy;
  core.phase.reset();
  core.node_id = kSampleDeputy;
  core.nodes = {SampleRow(kSampleDeputy, "n2", NodeRole::kDeputy, NodeState::kSelf),
                SampleRow(kSampleSelf, "n1", NodeRole::kMaster, NodeState::kAlive)};
  core.claims = {SampleClaim("198.51.100.50/24", ClaimState::kStandby)};
  node.gate_open = false;
  return node;
}

void ExpectServing(const NodeStatus& node) {
  const ClusterVerdict verdict = VerdictOf(node);
  EXPECT_EQ(verdict.state, VerdictState::kServing);
  EXPECT_THAT(verdict.reasons, IsEmpty());
}
template <typename Matcher>
void ExpectReason(const NodeStatus& node, VerdictState state, Matcher reason) {
  const ClusterVerdict verdict = VerdictOf(node);
  EXPECT_EQ(verdict.state, state);
  EXPECT_THAT(verdict.reasons, ElementsAre(reason));
}
template <typename Matcher>
void ExpectDegraded(const NodeStatus& node, Matcher reason) {
  ExpectReason(node, VerdictState::kDegraded, reason);
}
template <typename Matcher>
void ExpectNotServing(const NodeStatus& node, Matcher reason) {
  ExpectReason(node, VerdictState::kNotServing, reason);
}

TEST(ClusterVerdict, MasterDeputyAndANodeAloneSeeThatTheClusterServes) {
  ExpectServing(Well());
  ExpectServing(WellAtTheDeputy());
  NodeStatus alone = SampleNode();
  alone.controller.claims.pop_back();
  ExpectServing(alone);
}

TEST(ClusterVerdict, AnAddressThatAnotherHostHasIsNotServed) {
  NodeStatus node = Well();
  node.controller.claims[0] = SampleClaim("198.51.100.50/24", ClaimState::kTaken);
  ExpectNotServing(node, AllOf(StartsWith(kAddress), HasSubstr("52:54:00:00:00:09")));
  NodeStatus deputy = WellAtTheDeputy();
  deputy.controller.held.clear();
  ExpectNotServing(deputy, AllOf(StartsWith(kAddress), HasSubstr("n1")));
}

TEST(ClusterVerdict, WithoutAMasterOrAnOpenGateNothingIsServed) {
  NodeStatus node = WellAtTheDeputy();
  node.controller.nodes[1].state = NodeState::kDown;
  EXPECT_THAT(VerdictOf(node).reasons, ElementsAre(AllOf(HasSubstr("no node leads"), HasSubstr("n1"))));
  node.controller.master.reset();
  ExpectNotServing(node, HasSubstr("no node leads"));
  NodeStatus shut = Well();
  shut.gate_open = false;
  ExpectNotServing(shut, HasSubstr("gate"));
  NodeStatus bare = Well();
  bare.controller.claims.clear();
  ExpectNotServing(bare, HasSubstr("no service address"));
}

TEST(ClusterVerdict, ANodeThatIsDownDegradesUnlessItWasReplaced) {
  NodeStatus node = Well();
  node.controller.nodes.push_back(SampleRow(kSampleDown, "n3", NodeRole::kNone, NodeState::kDown));
  ExpectDegraded(node, HasSubstr("n3 down"));
  node.controller.nodes.push_back(SampleRow(SampleId(5, 5), "n3", NodeRole::kMember, NodeState::kAlive));
  ExpectServing(node);
  node.controller.nodes.back().state = NodeState::kLeft;
  ExpectDegraded(node, HasSubstr("n3 down"));
}

TEST(ClusterVerdict, ANodeThatHearsNobodyDegrades) {
  NodeStatus node = Well();
  node.controller.nodes[1].state = NodeState::kDeaf;
  ExpectDegraded(node, HasSubstr("n2 deaf"));
}

TEST(ClusterVerdict, WithoutADeputyATakeoverTakesLonger) {
  NodeStatus node = Well();
  node.controller.deputy.reset();
  ExpectDegraded(node, HasSubstr("deputy"));
  node.controller.nodes.pop_back();
  ExpectServing(node);  // there is no second node
}

TEST(ClusterVerdict, AServiceThatFailsDegradesAndNamesWhere) {
  NodeStatus node = Well();
  node.controller.services = {{.name = "web", .unfit_at = {{kSampleDeputy, CheckState::kFails}}}};
  ExpectDegraded(node, AllOf(HasSubstr("web"), HasSubstr("n2")));
  node.controller.services[0].unfit_at.emplace_back(kSampleSelf, CheckState::kFails);
  ExpectDegraded(node, AllOf(HasSubstr("web"), HasSubstr("every node")));
  node.controller.services[0].unfit_at = {{kSampleDeputy, CheckState::kUnchecked}};
  ExpectServing(node);
}

TEST(ClusterVerdict, WhatIsWrongHereDegrades) {
  NodeStatus node = Well();
  node.store_alarm = "disk full";
  ExpectDegraded(node, HasSubstr("store"));
  node = Well();
  node.last_reload.error = "n1.toml:3: node.nmae: unknown key";
  ExpectDegraded(node, HasSubstr("configuration"));
  node = Well();
  node.controller.link_up = false;
  ExpectDegraded(node, HasSubstr("link"));
  node = Well();
  node.controller.without_gateway = true;
  ExpectDegraded(node, HasSubstr("gateway"));
  node = Well();
  node.controller.claims[0].rival = MacAddress{{0x52, 0x54, 0, 0, 0, 9}};
  ExpectDegraded(node, AllOf(HasSubstr(kAddress), HasSubstr("52:54:00:00:00:09")));
  node = Well();
  node.controller.claims[0].alarm = true;
  ExpectDegraded(node, AllOf(HasSubstr("gateway"), HasSubstr(kAddress)));
}

TEST(FieldD2, ANodeWithAnotherConfigurationDegrades) {
  NodeStatus node = Well();
  node.controller.nodes[1].config_differs = true;
  ExpectDegraded(node, AllOf(HasSubstr("n2"), HasSubstr("configuration")));
  node.controller.nodes[1].state = NodeState::kLeft;
  ExpectServing(node);
}

TEST(ClusterVerdict, ANodeThatDoesNotBelongToTheClusterDegrades) {
  NodeStatus node = Well();
  node.controller.roll.outside = {kSampleDeputy};
  ExpectDegraded(node, "n2 does not belong to the cluster");
  node.controller.roll.outside.clear();
  node.controller.roll.founded_otherwise = kSampleDeputy;
  ExpectDegraded(node, HasSubstr("founded twice"));
}

TEST(ClusterVerdict, TheWorstIsSaidAlone) {
  NodeStatus node = Well();
  node.store_alarm = "disk full";
  node.controller.claims[0].alarm = true;
  EXPECT_EQ(VerdictOf(node).reasons.size(), 2u);
  node.gate_open = false;
  ExpectNotServing(node, HasSubstr("gate"));
}

TEST(ClusterVerdict, IsTheFirstLineOfStatus) {
  EXPECT_THAT(StatusText(StatusJson(Well())), StartsWith("serving\n"));
  NodeStatus node = Well();
  node.store_alarm = "disk full";
  node.controller.claims[0].alarm = true;
  EXPECT_THAT(StatusText(StatusJson(node)), StartsWith("degraded: the gateway does not answer to 198.51.100.50; "));
  node.gate_open = false;
  EXPECT_THAT(StatusText(StatusJson(node)), StartsWith("NOT SERVING: the gate"));
}

TEST(ClusterVerdict, AChangeThatWaitsToBeConfirmed) {
  NodeStatus node = Well();
  node.controller.config.pending = {.version = {}, .stage = clusterconfig::Stage::kOpen, .left = Seconds(300)};
  ExpectDegraded(node, HasSubstr("300 s unless it is confirmed"));
}

TEST(ClusterVerdict, ANodeThatCannotRunTheConfiguration) {
  NodeStatus node = Well();
  node.controller.nodes[1].config_unable = true;
  ExpectDegraded(node, HasSubstr("n2 cannot run"));
}

}  // namespace
}  // namespace qure
