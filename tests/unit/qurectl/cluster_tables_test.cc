#include "control/qurectl/cluster_tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/operator/cluster_status.h"
#include "control/qurectl/tables.h"
#include "tests/support/sample_node.h"

namespace qure {
namespace {

using nlohmann::ordered_json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(NodesText, OneLinePerNode) {
  ControllerStatus status = SampleMaster().controller;
  status.nodes[1].config_differs = true;
  EXPECT_EQ(NodesText(NodesJson(status)),
            "NODE  ID        ROLE    STATE               BOOT  ERA  UPTIME  HEARD   ADDRESS        PRIORITY  WEIGHT  "
            "CONFIG   REVISION\n"
            "n1    abcd0000  master  self                   3    2  1h 1m   -       198.51.100.11        -5       7  "
            "same     v1-5-gabcdef\n"
            "n2    ab120000  deputy  alive, maintenance     3    2  1h 1m   2s ago  198.51.100.11        -5       7  "
            "differs  v1-5-gabcdef\n"
            "n3    77000000  -       down                   3    2  1h 1m   2s ago  198.51.100.11        -5       7  "
            "same     v1-5-gabcdef\n");
}

TEST(LeadText, NamesMasterAndDeputy) {
  EXPECT_EQ(LeadText(TermAnswer(SampleMaster().controller)), "term 2.17, master n1, deputy n2, this node: master\n");
  EXPECT_EQ(LeadText(TermAnswer({})), "term -, master -, deputy -, this node: -\n");
}

TEST(TokensText, ANewOneStandsAlone) {
  EXPECT_EQ(TokensText({{"token", "Q1-ABC"}, {"id", "03"}}), "Q1-ABC\n");
  EXPECT_THAT(TokensText({{"tokens", ordered_json::array()}}), HasSubstr("no token"));
  ControllerStatus status;
  status.roll.tokens = {{.id = {3}, .uses = 2, .used_by = {"n3", "n4"}, .until_uptime = 90'000}};
  EXPECT_THAT(TokensText(TokensJson(status)), HasSubstr("n3, n4"));
}

TEST(RollText, ShowsWhoBelongsToTheClusterAndWhoDoesNot) {
  NodeStatus node = SampleMaster();
  admission::RollStatus& roll = node.controller.roll;
  EXPECT_THAT(RollText(RollJson(node.controller)), HasSubstr("cluster found"));
  roll.own = {1};
  roll.cluster = {2};
  roll.nodes = {{.identity = {1}, .node = kSampleSelf, .name = ""},
                {.identity = {4}, .node = SampleId(0x55, 0), .name = "n9"}};
  roll.outside = {kSampleDeputy};
  roll.founded_otherwise = kSampleDeputy;
  ordered_json answer = RollJson(node.controller);
  const std::string text = RollText(answer);
  EXPECT_THAT(text, AllOf(HasSubstr(admission::ToText(admission::Fingerprint{2})), HasSubstr("not heard"),
                          HasSubstr("n2    ab120000  does not belong to it"),
                          HasSubstr("ALARM: founded otherwise at n2"), Not(HasSubstr("recovery code"))));
  answer["recovery_code"] = "AAAA-BBBB";
  EXPECT_THAT(RollText(answer), HasSubstr("recovery code: AAAA-BBBB"));
}

TEST(KeysText, ShowsIds) {
  EXPECT_EQ(KeysText(KeysJson(SampleMaster().controller)),
            "KEY  IN USE\n"
            "  1  accepted\n"
            "  4  yes\n");
  ControllerStatus status;
  EXPECT_THAT(KeysText(KeysJson(status)), HasSubstr("no key"));
  status.open = true;
  EXPECT_THAT(KeysText(KeysJson(status)), HasSubstr("open"));
}

TEST(HistoryText, ListsErasAndEvents) {
  HistoryEvent event;
  event.node = SampleId(0x99, 0);
  event.age = 3;
  event.seq = 1;
  event.era = 2;
  event.term = {2, 17, 1};
  event.kind = HistoryKind::kDown;
  event.time = uint64_t{1'700'000'000'123} << 16;
  event.subject = kSampleDown;
  event.text = "gone";
  const History history(kSampleSelf, 3, {event}, {{1, 1, 0, 0, 9, 4, 3, kSampleDeputy}});
  const ordered_json answer = HistoryJson(history, SampleMaster().controller, 100, 1'700'000'000'123);
  EXPECT_EQ(HistoryText(answer),
            "ERA  BEGAN                     ENDED                     FOUNDER  BOOTS  TAKEOVERS  MOST ONLINE\n"
            "  1  1970-01-01T00:00:00.000Z  1970-01-01T00:00:00.000Z  n2           9          4            3\n"
            "\n"
            "TIME                      NODE      BOOT  ERA  TERM  EVENT  ABOUT  NOTE\n"
            "2023-11-14T22:13:20.123Z  99000000     3    2  2.17  down   n3     gone\n"
            "\n"
            "era 2, cluster up 5h 3m, 0 reboots since revision v1-5-gabcdef\n");
  const ordered_json fewer = HistoryJson(history, SampleMaster().controller, 0, 1'700'000'000'123);
  EXPECT_THAT(HistoryText(fewer), HasSubstr("the last 0 of 1 events"));
}

TEST(StatusTextOfACluster, ShowsMasterDeputyAndLease) {
  const std::string text = StatusText(StatusJson(SampleMaster()));
  EXPECT_THAT(text, HasSubstr("\nrole       master (leased), term 2.17\n"
                              "master     n1\n"
                              "deputy     n2, lease 15.0 ms, longest gap 4.5 ms\n"
                              "cluster    era 2, 2 nodes, up 5h 3m\n"
                              "takeover   silence, took 12.3 ms, 5m 0s ago\n"));
  EXPECT_THAT(text, Not(HasSubstr("store ")));
}

TEST(StatusTextOfACluster, ShowsAlarms) {
  NodeStatus node = SampleMaster();
  node.controller.ineligible = true;
  node.controller.maintenance = true;
  node.controller.open = true;
  node.controller.multicast_works = false;
  node.controller.last_takeover.reset();
  node.store_alarm = "disk full";
  const std::string text = StatusText(StatusJson(node));
  EXPECT_THAT(text, AllOf(HasSubstr("in maintenance"), HasSubstr("ineligible")));
  EXPECT_THAT(text, AllOf(HasSubstr("OPEN"), HasSubstr("multicast")));
  EXPECT_THAT(text, HasSubstr("takeover   none"));
  EXPECT_THAT(text, HasSubstr("store      ALARM: disk full\n"));
}

TEST(ClusterTables, StrangeAnswersThrow) {
  EXPECT_THROW(NodesText({{"nodes", {{{"node", 1}}}}}), nlohmann::json::exception);
  EXPECT_THROW(HistoryText({{"events", 1}}), nlohmann::json::exception);
  EXPECT_THROW(LeadText({{"term", nullptr}}), nlohmann::json::exception);
  EXPECT_THROW(KeysText({{"keys", 1}}), nlohmann::json::exception);
}

}  // namespace
}  // namespace qure
