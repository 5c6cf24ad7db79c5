// The configuration that all nodes have, as operators ask for it and are shown it.
#include "control/operator/shared_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
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

// 4 is in effect, 3 was rolled back, 2 was the one before, 1 has no text here.
ConfigHistory Past() {
  using Fate = clusterconfig::PastVersion::Fate;
  using clusterconfig::Stage;
  const auto past = [](uint64_t n, Stage stage, Fate fate, std::optional<uint32_t> number, const char* text) {
    return clusterconfig::ConfigStatus::Past{
        .change = ChangeOf(n, stage),
        .version = {.version = VersionOf(n),
                    .fate = fate,
                    .number = number,
                    .body = text == nullptr ? nullptr : std::make_shared<const std::string>(text)}};
  };
  return {
      past(4, Stage::kConfirmed, Fate::kConfirmed, 0, "four"), past(3, Stage::kExpired, Fate::kRolledBack, {}, "three"),
      past(2, Stage::kConfirmed, Fate::kConfirmed, 1, "two"), past(1, Stage::kConfirmed, Fate::kConfirmed, 2, nullptr)};
}

TEST(ReadProposal, TakesTheOperatorsWish) {
  const auto proposal = ReadProposal(json::parse(R"({"confirm": 90, "canary": false, "dry_run": true})"), "text", {});
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  EXPECT_EQ(proposal->confirm, Seconds(90));
  EXPECT_FALSE(proposal->canary);
  EXPECT_TRUE(proposal->dry_run);
  EXPECT_EQ(*proposal->body, "text");
  const auto plain = ReadProposal(json::parse(R"({"confirm": 0})"), "text", {});
  ASSERT_TRUE(plain.ok());
  EXPECT_FALSE(plain->confirm);
  EXPECT_TRUE(plain->canary);
}

TEST(ReadProposal, RefusesWhatIsUnsound) {
  for (const char* const request : {R"({"confirm": "1h"})", R"({"confirm": 86401})", R"({"confirm": -1})",
                                    R"({"canary": 1})", R"({"dry_run": "yes"})"}) {
    EXPECT_FALSE(ReadProposal(json::parse(request), "text", {}).ok()) << request;
  }
  EXPECT_FALSE(ReadProposal(json::object(), "", {}).ok());
  EXPECT_FALSE(ReadProposal(json::object(), std::string(admission::kMaxConfigBody + 1, 'x'), {}).ok());
}

TEST(ReadProposal, KnowsWhatTheChangeWasMadeFrom) {
  EXPECT_EQ(ReadProposal(json::object(), "text", Past())->base, std::nullopt);
  EXPECT_EQ(ReadProposal({{"base", "3.17.4-12345678"}}, "text", Past())->base, VersionOf(4));
  EXPECT_FALSE(ReadProposal({{"base", "3.17.9-12345678"}}, "text", Past()).ok());
}

TEST(ReadRollback, TakesTheTextOfANumber) {
  const auto proposal = ReadRollback({{"number", 1u}, {"confirm", 60u}}, Past());
  ASSERT_TRUE(proposal.ok()) << proposal.status();
  EXPECT_EQ(*proposal->body, "two");
  EXPECT_EQ(proposal->base, VersionOf(4)) << "from which the number counts";
  EXPECT_EQ(proposal->confirm, Seconds(60));
}

TEST(ReadRollback, SaysWhatIsWrongWithTheNumber) {
  const auto said = [](const json& request, const ConfigHistory& history = Past()) {
    return std::string(ReadRollback(request, history).status().message());
  };
  EXPECT_THAT(said({{"number", 7u}}), AllOf(HasSubstr("no number 7"), HasSubstr("config history")));
  EXPECT_THAT(said({{"number", 2u}}), AllOf(HasSubstr("number 2"), HasSubstr("not at this node")));
  EXPECT_THAT(said({{"number", 0u}}), HasSubstr("in effect"));
  EXPECT_THAT(said({{"number", 1u}}, {}), HasSubstr("config adopt"));
  EXPECT_FALSE(ReadRollback({{"number", "one"}}, Past()).ok());
  EXPECT_FALSE(ReadRollback(json::object(), Past()).ok());
}

TEST(FindText, FindsVersionsWithoutANumber) {
  const auto past = FindText({{"version", "3.17.3-12345678"}}, Past());
  ASSERT_TRUE(past.ok()) << past.status();
  EXPECT_EQ(*past->body, "three");
  EXPECT_EQ(SharedConfigText(ConfigTextJson(past->version, past->body)), "three");
  EXPECT_FALSE(FindText({{"version", "3.17.9-12345678"}}, Past()).ok());
}

TEST(SharedConfigText, ListsTheHistory) {
  const ordered_json answer = ConfigHistoryJson(Past());
  EXPECT_EQ(answer["history"][1]["number"], nullptr);
  EXPECT_EQ(answer["history"][1]["stage"], "rolled back");
  EXPECT_EQ(answer["history"][3]["text_here"], false);
  const std::string text = SharedConfigText(answer);
  EXPECT_THAT(text, AllOf(HasSubstr("0  3.17.4-12345678  confirmed    n1"),
                          HasSubstr("-  3.17.3-12345678  rolled back"), HasSubstr("2  3.17.1-12345678")));
  EXPECT_THAT(SharedConfigText(ConfigHistoryJson({})), HasSubstr("no configuration"));
}

TEST(ReadProposal, SaysWhereAndWhatWouldBeRight) {
  const ordered_json late = RefusalJson(ReadProposal(json::parse(R"({"confirm": 86401})"), "text", {}).status());
  EXPECT_EQ(late["where"], "--confirm");
  EXPECT_NE(late["reason"], "");
  EXPECT_THAT(late["remedy"].get<std::string>(), HasSubstr("24h"));
  const ordered_json empty = RefusalJson(ReadProposal(json::object(), "", {}).status());
  EXPECT_EQ(empty["where"], "config:1: cluster");
  EXPECT_NE(empty["remedy"], "");
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
