#include "control/qurectl/tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "control/base/version.h"
#include "tests/support/sample_node.h"

namespace qure {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Table, AlignsColumns) {
  Table table({{"NAME"}, {"N", Align::kRight}, {"NOTE"}});
  table.Add({"a", "1", "x"});
  table.Add({"longer", "1000", ""});
  EXPECT_EQ(table.Render(),
            "NAME       N  NOTE\n"
            "a          1  x\n"
            "longer  1000\n");
}

TEST(UptimeText, TakesTheTwoGreatestUnits) {
  EXPECT_EQ(UptimeText(0.4), "0s");
  EXPECT_EQ(UptimeText(59.9), "59s");
  EXPECT_EQ(UptimeText(192), "3m 12s");
  EXPECT_EQ(UptimeText(5 * 3600 + 180), "5h 3m");
  EXPECT_EQ(UptimeText(12 * 86400 + 5 * 3600), "12d 5h");
}

TEST(StatusText, ShowsTheNodeAndItsAddresses) {
  EXPECT_EQ(
      StatusText(StatusJson(SampleNode())),
      "NOT SERVING: 2001:db8:2::50 is held by 52:54:00:00:00:09\n"
      "node       n1, id abcd0000000000000000000000000000, boot 3\n"
      "version    " +
          std::string(Version()) + ", revision " + std::string(Revision()) +
          "\n"
          "uptime     1m 1s\n"
          "role       master, term -\n"
          "gate       open\n"
          "snapshot   7\n"
          "node MAC   a6:01:02:03:04:00\n"
          "config     2023-11-14T22:14:10Z, applied\n"
          "\n"
          "ADDRESS         STATE  MAC                VERIFIED  HOLDER             CONFLICTS  DEFENSES  UNANSWERED\n"
          "198.51.100.50   held   a2:00:00:00:00:01  yes       -                          2         1           4\n"
          "2001:db8:2::50  taken  a2:00:00:00:00:01  no        52:54:00:00:00:09          2         1           4\n");
}

TEST(StatusText, ShowsAlarmAndRefusal) {
  NodeStatus node = SampleNode();
  node.controller.claims[0].alarm = true;
  node.last_reload.error = "n1.toml:3: node.nmae: unknown key";
  const std::string text = StatusText(StatusJson(node));
  EXPECT_THAT(text, HasSubstr("ALARM"));
  EXPECT_THAT(text, HasSubstr("refused:\nn1.toml:3: node.nmae: unknown key\n"));
}

TEST(FieldA10, StatusShowsWhoHasThisNodesNameOrAddress) {
  NodeStatus node = SampleNode();
  node.controller.namesakes = {{.node = kSampleDeputy, .name = "n1", .address = ParseIp("198.51.100.11")->v4()}};
  node.controller.address_conflicts = {{*ParseIp("198.51.100.11"), MacAddress{{0x52, 0x54, 0, 0, 0, 7}}}};
  const std::string text = StatusText(StatusJson(node));
  EXPECT_THAT(text, HasSubstr("ab120000000000000000000000000000"));
  EXPECT_THAT(text, HasSubstr("52:54:00:00:00:07"));
}

TEST(FieldA8, StatusShowsThatTheGatewayIsAway) {
  NodeStatus node = SampleNode();
  EXPECT_THAT(StatusText(StatusJson(node)), Not(HasSubstr("GATEWAY AWAY")));
  node.controller.without_gateway = true;
  EXPECT_THAT(StatusText(StatusJson(node)), HasSubstr("GATEWAY AWAY"));
}

TEST(FieldE5, StatusShowsWhoContestsAHeldAddress) {
  NodeStatus node = SampleNode();
  node.controller.claims[0].rival = MacAddress{{0x52, 0x54, 0, 0, 0, 7}};
  const std::string text = StatusText(StatusJson(node));
  EXPECT_THAT(text, HasSubstr("held, CONTESTED"));
  EXPECT_THAT(text, HasSubstr("52:54:00:00:00:07"));
}

TEST(StatusText, StrangeAnswerThrows) {
  EXPECT_THROW(StatusText({{"name", "n1"}}), nlohmann::json::exception);
}

TEST(PortsText, OneLinePerPort) {
  PortStatus lan;
  lan.name = "lan";
  lan.device = "net_af_packet0";
  lan.driver = "net_af_packet";
  lan.mtu = 1500;
  lan.queues = 1;
  lan.link_up = true;
  WorkerCounters worker;
  worker.lan.rx_frames.Add(12);
  const std::string text = PortsText(PortsJson({lan}, {&worker}));
  EXPECT_THAT(text,
              HasSubstr("PORT  DEVICE          DRIVER         MAC                LINK  IDLE   MTU  QUEUES  RX FRAMES"));
  EXPECT_THAT(text,
              HasSubstr("lan   net_af_packet0  net_af_packet  00:00:00:00:00:00  up    naps  1500       1         12"));
}

TEST(CountersText, HidesWhatNeverHappenedUnlessAsked) {
  WorkerCounters worker;
  worker.lan_reasons[static_cast<size_t>(Reason::arp_reply)].Add(3);
  const nlohmann::ordered_json counters = CountersJson({&worker}, 5);
  const std::string few = CountersText(counters, /*all=*/false);
  EXPECT_THAT(few, HasSubstr("arp_reply  answer     3     0  "));
  EXPECT_THAT(few, Not(HasSubstr("gate_shut")));
  EXPECT_THAT(few, HasSubstr("5 mbufs in use"));
  const std::string all = CountersText(counters, /*all=*/true);
  EXPECT_THAT(all, HasSubstr("gate_shut"));
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), static_cast<long>(kReasonCount) + 6);
}

TEST(CountersText, SaysSoWhenNothingHappened) {
  const WorkerCounters worker;
  EXPECT_THAT(CountersText(CountersJson({&worker}, 0), false), HasSubstr("no frame yet"));
}

}  // namespace
}  // namespace qure
