#include "control/io/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/harness.h"

namespace qure::testing {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using ::testing::HasSubstr;

NodeRow Row(const std::string& name, NodeSlot slot, const std::string& state) {
  NodeRow row{.name = name, .state = state};
  row.node[0] = slot;
  row.slot = slot;
  return row;
}

class ExplainTest : public ::testing::Test {
 protected:
  ExplainTest() {
    snapshot_.balance = OneOwner(kPeer1, kPeer2);
    status_.nodes = {Row("n1", kSelfSlot, "self"), Row("n2", kPeer1, "alive"), Row("n3", kPeer2, "down")};
    ServiceRow web{.name = "web"};
    web.current = {{status_.nodes[1].node, 1}};
    status_.services = {web};
  }

  ordered_json Ask(const std::string& from, const std::string& to, const std::string& protocol = "tcp") {
    const auto question = ReadExplainQuestion({{"from", from}, {"to", to}, {"protocol", protocol}});
    EXPECT_TRUE(question.ok()) << question.status();
    const auto lookup = [this](const FlowKey& key) {
      asked_ = key;
      return known_;
    };
    return Explain(*question, snapshot_, lookup, status_);
  }
  std::string Refused(const json& request) { return std::string(ReadExplainQuestion(request).status().message()); }

  Snapshot snapshot_ = SiteSnapshot();
  ControllerStatus status_;
  std::optional<FlowEntry> known_;
  FlowKey asked_;
};

}  // namespace

TEST_F(ExplainTest, ANewFlow) {
  const ordered_json steps = Ask("203.0.113.7:40000", "198.51.100.50:80");
  EXPECT_EQ(steps.at("service"), "web");
  EXPECT_EQ(steps.at("affinity"), "socket");
  EXPECT_EQ(steps.at("epoch"), 2);
  EXPECT_EQ(steps.at("flow"), nullptr);
  EXPECT_EQ(steps.at("share_of"), "n2");
  EXPECT_EQ(steps.at("share_before_of"), "n3");
  EXPECT_EQ(steps.at("reason"), "forward_new");
  EXPECT_EQ(json(steps.at("frame")), json::parse(R"({"destination": "02:22:22:22:22:20", "source": "02:11:11:11:11:10",
                                                "node": "n2", "hop": 0})"));
  EXPECT_EQ(json(steps.at("others")), json::parse(R"([{"name": "n1", "why_not": "without weight, or its check fails"},
                                                 {"name": "n3", "why_not": "down"}])"));
  EXPECT_EQ(asked_.remote, MappedAddress(kClient4));
  EXPECT_EQ(asked_.remote_port, Be16(40000));
}

TEST_F(ExplainTest, AKnownFlow) {
  known_ = FlowEntry{.owner = kPeer2, .state = FlowState::kEstablished, .exception = true, .seen = {5}};
  Ask("203.0.113.7:40000", "198.51.100.50:80");
  known_->key = asked_;
  const ordered_json steps = Ask("203.0.113.7:40000", "198.51.100.50:80");
  EXPECT_EQ(json(steps.at("flow")), json::parse(R"({"owner": "n3", "state": "established", "exception": true})"));
  EXPECT_EQ(steps.at("reason"), "forward_flow");
  EXPECT_EQ(steps.at("frame").at("node"), "n3");
}

TEST_F(ExplainTest, AMemberAnswersAsTheMasterWould) {
  const ordered_json as_master = Ask("[2001:db8:ffff::7]:40000", "[2001:db8:2::50]:80");
  for (auto* list : {&snapshot_.addresses_v4, &snapshot_.addresses_v6}) {
    for (ServiceAddress& address : *list) address.serving = false;
  }
  EXPECT_EQ(Ask("[2001:db8:ffff::7]:40000", "[2001:db8:2::50]:80"), as_master);
  EXPECT_EQ(as_master.at("reason"), "forward_new");
}

TEST_F(ExplainTest, WhatIsNotBalanced) {
  EXPECT_EQ(Ask("203.0.113.7:40000", "198.51.100.50:22").at("reason"), "host_service");
  EXPECT_EQ(Ask("203.0.113.7:40000", "198.51.100.50:80", "udp").at("service"), nullptr);
  EXPECT_EQ(Ask("203.0.113.7:40000", "198.51.100.77:80").at("reason"), "host_node");
  snapshot_.balance = nullptr;
  EXPECT_EQ(Ask("203.0.113.7:40000", "198.51.100.50:80").at("reason"), "host_service");
}

TEST_F(ExplainTest, UnsoundQuestionsAreRefused) {
  EXPECT_THAT(Refused({{"from", "203.0.113.7"}, {"to", "198.51.100.50:80"}}), HasSubstr("\"203.0.113.7\" is not"));
  EXPECT_THAT(Refused({{"from", "203.0.113.7:0"}, {"to", "198.51.100.50:80"}}), HasSubstr("is not an address"));
  EXPECT_THAT(Refused({{"from", "2001:db8::7:80"}, {"to", "198.51.100.50:80"}}), HasSubstr("is not an address"));
  EXPECT_THAT(Refused({{"from", "203.0.113.7:1"}, {"to", "[2001:db8::1]:80"}}), HasSubstr("one address is IPv4"));
  EXPECT_THAT(Refused({{"from", "203.0.113.7:1"}, {"to", "198.51.100.50:80"}, {"protocol", "icmp"}}),
              HasSubstr("tcp or udp"));
  EXPECT_THAT(Refused(json::object()), HasSubstr("is not an address"));
}

}  // namespace qure::testing
