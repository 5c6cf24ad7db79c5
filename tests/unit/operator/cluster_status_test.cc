#include "control/operator/cluster_status.h"

#include <gtest/gtest.h>

#include "tests/support/sample_node.h"

namespace qure {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr uint64_t kWall = 1'700'000'000'123;  // 2023-11-14T22:13:20.123Z

HistoryEvent Event(const NodeId& node, uint32_t seq, HistoryKind kind, uint64_t wall_ms) {
  HistoryEvent event;
  event.node = node;
  event.age = 2;
  event.seq = seq;
  event.era = 2;
  event.lineage = 0xfedcba9876543210;
  event.kind = kind;
  event.time = wall_ms << 16;
  return event;
}

TEST(NodesJson, ShowsARowForEachNode) {
  const json nodes = NodesJson(SampleMaster().controller).at("nodes");
  ASSERT_EQ(nodes.size(), 3u);
  EXPECT_EQ(nodes[1], json::parse(R"({
    "node": "ab120000000000000000000000000000", "name": "n2", "role": "deputy", "state": "alive", "age": 3, "era": 2,
    "revision": "v1-5-gabcdef", "address": "198.51.100.11", "priority": -5, "weight": 7, "maintenance": true,
    "draining": false, "drain_left_seconds": null, "config_differs": false,
    "heard_ago_seconds": 2.5, "uptime_seconds": 3700.0})"));
  EXPECT_EQ(nodes[2].at("role"), nullptr);
  EXPECT_EQ(nodes[2].at("state"), "down");
}

TEST(TermAnswer, NamesWhoLeads) {
  EXPECT_EQ(json(TermAnswer(SampleMaster().controller)), json::parse(R"({
    "term": {"era": 2, "epoch": 17, "holder": "000000000000abcd"}, "role": "master",
    "master": {"node": "abcd0000000000000000000000000000", "name": "n1"},
    "deputy": {"node": "ab120000000000000000000000000000", "name": "n2"}})"));
}

TEST(TermAnswer, NobodyIsNull) {
  EXPECT_EQ(json(TermAnswer({})), json::parse(R"({"term": null, "role": "", "master": null, "deputy": null})"));
}

TEST(RollJson, ShowsWhoBelongsToTheCluster) {
  NodeStatus node = SampleMaster();
  EXPECT_EQ(json(RollJson(node.controller)), json::parse(R"({"fingerprint": null, "cluster": null, "generation": 0,
    "expelled": false, "nodes": [], "outside": [], "behind": [], "founded_otherwise": null})"));
  admission::RollStatus& roll = node.controller.roll;
  roll.own = {1};
  roll.cluster = {2};
  roll.generation = 3;
  roll.nodes = {{.identity = {1}, .node = kSampleSelf, .name = ""},
                {.identity = {4}, .node = SampleId(0x55, 0), .name = "n9"}};
  roll.outside = {kSampleDeputy};
  const json answer = RollJson(node.controller);
  EXPECT_EQ(answer["fingerprint"], admission::ToText(admission::Fingerprint{1}));
  EXPECT_EQ(answer["cluster"], admission::ToText(admission::Fingerprint{2}));
  EXPECT_EQ(answer["generation"], 3);
  EXPECT_EQ(answer["nodes"][0]["name"], "n1");
  EXPECT_EQ(answer["nodes"][0]["state"], "self");
  EXPECT_EQ(answer["nodes"][1]["name"], "n9");
  EXPECT_EQ(answer["nodes"][1]["state"], nullptr);
  EXPECT_EQ(answer["outside"][0]["name"], "n2");
}

TEST(TokensJson, ShowsThoseThatAreOpen) {
  ControllerStatus status = SampleMaster().controller;
  EXPECT_EQ(json(TokensJson(status)), json::parse(R"({"tokens": []})"));
  status.roll.tokens = {{.id = {3}, .uses = 2, .used_by = {"n3"}, .until_uptime = status.cluster_uptime_ms + 5000},
                        {.id = {4}, .uses = 1, .used_by = {}, .until_uptime = status.cluster_uptime_ms}};
  EXPECT_EQ(json(TokensJson(status)), json::parse(R"({"tokens": [
    {"id": "0300000000000000", "uses_left": 2, "used_by": ["n3"], "expires_in_seconds": 5}]})"));
}

TEST(KeysJson, ShowsIdsAlone) {
  EXPECT_EQ(json(KeysJson(SampleMaster().controller)), json::parse(R"({"open": false, "keys": [
    {"id": 1, "in_use": false}, {"id": 4, "in_use": true}]})"));
}

TEST(TakeoverJson, TellsHowItWent) {
  const NodeStatus node = SampleMaster();
  EXPECT_EQ(json(TakeoverJson(node.controller.last_takeover, node.now)), json::parse(R"({
    "cause": "silence", "term": {"era": 2, "epoch": 17, "holder": "000000000000abcd"}, "took_seconds": 0.012345,
    "ago_seconds": 300.0})"));
  EXPECT_EQ(TakeoverJson(std::nullopt, node.now), nullptr);
}

class HistoryJsonTest : public testing::Test {
 protected:
  ordered_json Answer(size_t limit) const {
    const History history(kSampleSelf, 3, events_, summaries_);
    return HistoryJson(history, SampleMaster().controller, limit, kWall);
  }

  std::vector<HistoryEvent> events_ = {
      Event(kSampleSelf, 1, HistoryKind::kEra, kWall), Event(kSampleSelf, 2, HistoryKind::kBoot, kWall + 1),
      Event(kSampleDeputy, 1, HistoryKind::kBoot, kWall + 2), Event(kSampleSelf, 3, HistoryKind::kDown, kWall + 3)};
  std::vector<EraSummary> summaries_;
};

TEST_F(HistoryJsonTest, TellsAnEventInFull) {
  events_[3].subject = kSampleDown;
  events_[3].term = {2, 17, 1};
  events_[3].text = "gone";
  const json events = Answer(100).at("events");
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[3], json::parse(R"({
    "time": "2023-11-14T22:13:20.126Z", "time_ms": 1700000000126, "node": "abcd0000000000000000000000000000",
    "name": "n1", "age": 2, "seq": 3, "era": 2, "lineage": "fedcba9876543210",
    "term": {"era": 2, "epoch": 17, "holder": "0000000000000001"}, "kind": "down",
    "subject": "77000000000000000000000000000000", "subject_name": "n3", "text": "gone", "clock_ahead": false})"));
  EXPECT_EQ(events[2].at("name"), "n2");
  EXPECT_EQ(events[2].at("subject"), nullptr);
}

TEST_F(HistoryJsonTest, ShowsTheNewestUpToTheLimit) {
  const ordered_json answer = Answer(2);
  ASSERT_EQ(answer.at("events").size(), 2u);
  EXPECT_EQ(answer.at("events")[0].at("time_ms"), kWall + 2);
  EXPECT_EQ(answer.at("events")[1].at("time_ms"), kWall + 3);
  EXPECT_EQ(answer.at("events_total"), 4);
  EXPECT_EQ(Answer(0).at("events").size(), 0u);
}

TEST_F(HistoryJsonTest, CountsWhoWasOnline) {
  events_[3].subject = kSampleDeputy;
  const ordered_json online = Answer(0).at("online");
  ASSERT_FALSE(online.empty());
  uint64_t most = 0;
  for (const ordered_json& step : online) most = std::max(most, step.at("online").get<uint64_t>());
  EXPECT_EQ(most, 2u);
  EXPECT_EQ(online.back().at("online"), 1);
  EXPECT_EQ(online.back().at("time_ms"), kWall + 3);
}

TEST_F(HistoryJsonTest, KeepsOldErasAsSummaries) {
  summaries_ = {{1, 0xfedcba9876543210, (kWall - 100) << 16, (kWall - 50) << 16, 9, 4, 3, SampleId(0x55, 0)}};
  const json eras = Answer(0).at("eras");
  ASSERT_EQ(eras.size(), 1u);
  EXPECT_EQ(eras[0], json::parse(R"({
    "era": 1, "lineage": "fedcba9876543210", "began": "2023-11-14T22:13:20.023Z", "began_ms": 1700000000023,
    "ended": "2023-11-14T22:13:20.073Z", "ended_ms": 1700000000073, "boots": 9, "takeovers": 4, "kept_from": null,
    "most_online": 3,
    "founder": "55000000000000000000000000000000", "founder_name": null})"));
}

TEST_F(HistoryJsonTest, NothingHasHappenedYet) {
  events_.clear();
  const ordered_json answer = Answer(100);
  EXPECT_TRUE(answer.at("events").empty());
  EXPECT_TRUE(answer.at("online").empty());
  EXPECT_EQ(answer.at("now_ms"), kWall);
  EXPECT_EQ(answer.at("cluster_uptime_seconds"), 18180.0);
}

}  // namespace
}  // namespace qure
