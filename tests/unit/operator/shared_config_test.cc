// The configuration that all nodes have, as operators ask for it and are shown it.
#include "control/operator/shared_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "control/core/admission/records.h"
#include "control/qurectl/config_tables.h"
#include "tests/support/sample_node.h"

namespace qure {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

clusterconfig::Version VersionOf(uint64_t n) {
  return {.term = {.era = 3, .epoch = 17, .holder = 1}, .n = n, .check = 0x1234567800000000 + n};
}

clusterconfig::ConfigStatus::Change ChangeOf(uint64_t n, clusterconfig::Stage stage) {
  return {.version = VersionOf(n), .stage = stage, .by = "n1", .time = 0, .size = 120, .left = std::nullopt};
}

// A cluster with a configuration that is confirmed, as its master sees it.
ControllerStatus Configured() {
  ControllerStatus status = SampleMaster().controller;
  status.config.possible = true;
  status.config.in_effect = ChangeOf(1, clusterconfig::Stage::kConfirmed);
  status.config.running = VersionOf(1);
  for (NodeRow& row : status.nodes) row.config_running = VersionOf(1).check;
  return status;
}

TEST(ReadProposal, TakesTheOperatorsWish) {
  const auto proposal = ReadProposal(json::parse(R"({"confirm": 90, "canary": false, "dry_run": true})"), "text");
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  EXPECT_EQ(proposal->confirm, Seconds(90));
  EXPECT_FALSE(proposal->canary);
  EXPECT_TRUE(proposal->dry_run);
  EXPECT_EQ(*proposal->body, "text");
  const auto plain = ReadProposal(json::parse(R"({"confirm": 0})"), "text");
  ASSERT_TRUE(plain.ok());
  EXPECT_FALSE(plain->confirm);
  EXPECT_TRUE(plain->canary);
}

TEST(ReadProposal, RefusesWhatIsUnsound) {
  for (const char* const request : {R"({"confirm": "1h"})", R"({"confirm": 86401})", R"({"confirm": -1})",
                                    R"({"canary": 1})", R"({"dry_run": "yes"})"}) {
    EXPECT_FALSE(ReadProposal(json::parse(request), "text").ok()) << request;
  }
  EXPECT_FALSE(ReadProposal(json::object(), "").ok());
  EXPECT_FALSE(ReadProposal(json::object(), std::string(admission::kMaxConfigBody + 1, 'x')).ok());
}

TEST(SharedConfigText, SaysWhatIsInEffectAndWhoRunsIt) {
  ControllerStatus status = Configured();
  status.nodes[1].config_running = 5;
  const std::string text = SharedConfigText(SharedConfigJson(status));
  EXPECT_THAT(text, AllOf(HasSubstr("in effect  3.17.1-12345678, confirmed, by n1"), HasSubstr("120 bytes"),
                          HasSubstr("another version"), Not(HasSubstr("pending"))));
}

TEST(SharedConfigText, SaysWhatWaitsToBeConfirmed) {
  ControllerStatus status = Configured();
  status.config.in_effect = status.config.pending = ChangeOf(2, clusterconfig::Stage::kOpen);
  status.config.pending->left = Seconds(61);
  const ordered_json answer = SharedConfigJson(status);
  EXPECT_EQ(answer["pending"]["left_seconds"], 61.0);
  EXPECT_THAT(SharedConfigText(answer),
              AllOf(HasSubstr("pending    3.17.2-12345678, open"), HasSubstr("config confirm")));
}

TEST(SharedConfigText, WarnsOfANodeThatCannotRunIt) {
  ControllerStatus status = Configured();
  status.config.unable = {
      .version = VersionOf(1),
      .finding = {.where = "config:7: cluster.zone.file", .reason = "is missing", .remedy = "copy it"}};
  status.nodes[0].config_unable = true;
  EXPECT_THAT(
      SharedConfigText(SharedConfigJson(status)),
      AllOf(HasSubstr("ALARM"), HasSubstr("config:7: cluster.zone.file: is missing; copy it"), HasSubstr("unable")));
  EXPECT_EQ(UnableNodes(status), "n1");
}

TEST(SharedConfigText, SaysWhatIsMissingWhereThereIsNone) {
  ControllerStatus status = SampleMaster().controller;
  EXPECT_THAT(SharedConfigText(SharedConfigJson(status)), HasSubstr("cluster found"));
  status.config.possible = true;
  EXPECT_THAT(SharedConfigText(SharedConfigJson(status)), HasSubstr("config adopt"));
}

TEST(SharedConfigText, ListsWhatWasLost) {
  ControllerStatus status = Configured();
  status.config.lost = {ChangeOf(9, clusterconfig::Stage::kConfirmed)};
  EXPECT_THAT(SharedConfigText(SharedConfigJson(status)),
              AllOf(HasSubstr("lost: 3.17.9-12345678"), HasSubstr("config acknowledge")));
}

TEST(AnsweredJson, ARefusalNamesTheFileTheLineAndTheNode) {
  const clusterconfig::Finding finding{
      .where = "config:12: cluster.service.ports", .reason = "\"x\" is no port", .remedy = "write 80"};
  const clusterconfig::Answered answered{.id = 1, .version = {}, .node = kSampleDeputy, .refusal = finding};
  const ordered_json answer = AnsweredJson(answered, {.file = "new.toml"}, Configured());
  EXPECT_EQ(answer["where"], "new.toml:12: cluster.service.ports");
  EXPECT_EQ(answer["error"], "new.toml:12: cluster.service.ports: \"x\" is no port; write 80 (n2 refused)");
  EXPECT_EQ(answer["node"], "n2");
}

TEST(AnsweredJson, SaysHowLongItIsOpen) {
  const clusterconfig::Answered answered{.id = 1, .version = VersionOf(2), .node = {}, .refusal = {}};
  const ordered_json open = AnsweredJson(answered, {.confirm = Seconds(600)}, Configured());
  EXPECT_EQ(open["stage"], "open");
  EXPECT_THAT(SharedConfigText(open), AllOf(HasSubstr("3.17.2-12345678"), HasSubstr("config confirm")));
  EXPECT_EQ(AnsweredJson(answered, {}, Configured())["stage"], "confirmed");
  EXPECT_EQ(AnsweredJson(answered, {.dry_run = true}, Configured())["stage"], "checked");
}

}  // namespace
}  // namespace qure
