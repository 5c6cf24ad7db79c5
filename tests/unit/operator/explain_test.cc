#include "control/operator/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "control/qurectl/balance_tables.h"
#include "tests/support/harness.h"

namespace qure::testing {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

NodeRow Row(const std::string& name, NodeSlot slot, NodeState state) {
  NodeRow row{.name = name, .state = state};
  row.node[0] = slot;
  row.slot = slot;
  return row;
}

class ExplainTest : public ::testing::Test {
 protected:
  ExplainTest() {
    snapshot_.balance = OneOwner(kPeer1, kPeer2);
    status_.nodes = {Row("n1", kSelfSlot, NodeState::kSelf), Row("n2", kPeer1, NodeState::kAlive),
                     Row("n3", kPeer2, NodeState::kDown)};
    ServiceRow web{.name = "web"};
    web.current = std::make_shared<const Shares>(Shares{{status_.nodes[1].node, 1}});
    status_.services = {web};
  }

  ordered_json Ask(const std::string& from, const std::string& to, const std::string& protocol = "tcp") {
    const auto question = ReadExplainQuestion({{"from", from}, {"to", to}, {"protocol", protocol}});
    EXPECT_TRUE(question.ok()) << question.status();
    key_ = FlowOf(*question, snapshot_);
    if (flow_.flow) flow_.flow->key = *key_;
    return Explain(*question, snapshot_, flow_, status_);
  }
  std::string Refused(const json& request) { return std::string(ReadExplainQuestion(request).status().message()); }

  Snapshot snapshot_ = SiteSnapshot();
  ControllerStatus status_;
  FlowAnswered flow_{.answered = true};
  std::optional<FlowKey> key_;  // of the last question
};

// The site as its nodes know it, each by its own slots: first `self`, then the two others. n1 leads.
struct Seen {
  Snapshot snapshot;
  ControllerStatus status;
};

// The owners of all entries, by number of the node.
struct Owners {
  int current = 0;
  int previous = 0;  // by the previous balance epoch
};

constexpr std::string_view kNames[] = {"n1", "n2", "n3"};
const BalanceNode kNodes[] = {{.present = true, .hop0 = kNodeMac, .hop1 = kNodeMacHop1},
                              {.present = true, .hop0 = kPeer1Hop0, .hop1 = kPeer1Hop1},
                              {.present = true, .hop0 = kPeer2Hop0, .hop1 = kPeer2Hop1}};

NodeSlot SlotAt(int self, int node) {
  return static_cast<NodeSlot>(node == self ? 0 : node < self ? node + 1 : node);
}

Seen SeenBy(int self, const Owners& owners, bool interface_macs) {
  Seen seen{.snapshot = SiteSnapshot(), .status = {}};
  auto balance = std::make_shared<Balance>(*OneOwner(SlotAt(self, owners.current), SlotAt(self, owners.previous)));
  ServiceRow web{.name = "web"};
  for (int node = 0; node < 3; ++node) {
    const NodeSlot slot = SlotAt(self, node);
    balance->nodes[slot] = kNodes[node];
    if (interface_macs) balance->nodes[slot].hop1 = balance->nodes[slot].hop0;
    NodeRow row = Row(std::string(kNames[node]), slot, node == self ? NodeState::kSelf : NodeState::kAlive);
    row.node = {static_cast<uint8_t>(node)};
    seen.status.nodes.push_back(row);
    if (node == owners.current) web.current = std::make_shared<const Shares>(Shares{{row.node, 1}});
  }
  std::ranges::sort(seen.status.nodes, {}, &NodeRow::slot);  // as the core has it: this node first
  web.unfit_at = {{NodeId{1}, CheckState::kFails}};
  seen.status.services = {web};
  balance->master = SlotAt(self, 0);
  seen.snapshot.balance = balance;
  seen.snapshot.lan_mac = seen.snapshot.node_mac = kNodes[self].hop0;
  seen.snapshot.node_mac_hop1 = kNodes[self].hop1;
  for (auto* list : {&seen.snapshot.addresses_v4, &seen.snapshot.addresses_v6}) {
    for (ServiceAddress& address : *list) {
      address.serving = self == 0;
      if (interface_macs) address.mac = kNodes[self].hop0;
    }
  }
  if (interface_macs) seen.snapshot.node_mac_hop1 = kNodes[self].hop0;
  return seen;
}

}  // namespace

TEST_F(ExplainTest, ANewFlow) {
  const ordered_json steps = Ask("203.0.113.7:40000", "198.51.100.50:80");
  EXPECT_EQ(steps.at("service"), "web");
  EXPECT_EQ(steps.at("affinity"), "socket");
  EXPECT_EQ(steps.at("balance_epoch"), 2);
  EXPECT_EQ(steps.at("flow"), nullptr);
  EXPECT_EQ(steps.at("owner"), "n2");
  EXPECT_EQ(steps.at("owner_before"), "n3");
  EXPECT_EQ(steps.at("reason"), "forward_new");
  EXPECT_EQ(json(steps.at("frame")), json::parse(R"({"destination": "02:22:22:22:22:20", "source": "02:11:11:11:11:10",
                                                "node": "n2", "hop": 0})"));
  EXPECT_EQ(json(steps.at("others")), json::parse(R"([{"name": "n1", "why_not": "without weight"},
                                                 {"name": "n3", "why_not": "down"}])"));
  ASSERT_TRUE(key_);
  EXPECT_EQ(key_->remote, MappedAddress(kClient4));
  EXPECT_EQ(key_->remote_port, Be16(40000));
}

TEST_F(ExplainTest, AKnownFlow) {
  flow_.flow = FlowEntry{.owner = kPeer2, .state = FlowState::kEstablished, .pinned = true, .seen = {5}};
  const ordered_json steps = Ask("203.0.113.7:40000", "198.51.100.50:80");
  EXPECT_EQ(json(steps.at("flow")), json::parse(R"({"owner": "n3", "state": "established", "pinned": true})"));
  EXPECT_EQ(steps.at("reason"), "forward_flow");
  EXPECT_EQ(steps.at("frame").at("node"), "n3");
}

TEST_F(ExplainTest, ADecidingNodeThatDoesNotAnswerIsReported) {
  flow_.answered = false;
  const ordered_json steps = Ask("203.0.113.7:40000", "198.51.100.50:80");
  EXPECT_THAT(steps.at("flow").get<std::string>(), HasSubstr("did not answer"));
  EXPECT_EQ(steps.at("reason"), "forward_new");
  EXPECT_THAT(ExplainText(steps), HasSubstr("known flow    unknown"));
}

TEST_F(ExplainTest, EveryNodeAnswersAsTheMaster) {
  for (const bool interface_macs : {false, true}) {
    for (const Owners owners : {Owners{0, 0}, Owners{0, 2}, Owners{1, 2}, Owners{2, 1}}) {
      for (const int flow_owner : {-1, 0, 1, 2}) {
        std::vector<std::string> answers;
        for (int self = 0; self < 3; ++self) {
          Seen seen = SeenBy(self, owners, interface_macs);
          snapshot_ = seen.snapshot;
          status_ = seen.status;
          flow_.flow.reset();
          if (flow_owner >= 0) {
            flow_.flow = FlowEntry{.owner = SlotAt(self, flow_owner), .state = FlowState::kEstablished};
          }
          std::string answer;
          for (const char* to : {"80", "53", "22"}) {
            answer += Ask("203.0.113.7:40000", absl::StrCat("198.51.100.50:", to)).dump();
            answer += Ask("[2001:db8:ffff::7]:40000", absl::StrCat("[2001:db8:2::50]:", to), "udp").dump();
          }
          answers.push_back(answer);
          const ordered_json steps = Ask("203.0.113.7:40000", "198.51.100.50:80");
          const int to = flow_owner >= 0 ? flow_owner : owners.current;
          EXPECT_EQ(steps.at("frame").at("node"), kNames[to]);
          EXPECT_EQ(steps.at("frame").at("hop"), 0);
          EXPECT_EQ(steps.at("verdict"), to == 0 ? "host" : "lan");
        }
        EXPECT_EQ(answers[1], answers[0]);
        EXPECT_EQ(answers[2], answers[0]);
      }
    }
  }
}

TEST_F(ExplainTest, WherePacketsComeToAllTheOwnerByTheTableDecides) {
  for (const Owners owners : {Owners{0, 0}, Owners{0, 2}, Owners{1, 2}, Owners{2, 1}}) {
    for (const int flow_owner : {-1, 0, 1, 2}) {
      std::vector<std::string> answers;
      for (int self = 0; self < 3; ++self) {
        Seen seen = SeenBy(self, owners, false);
        auto services = std::make_shared<ServiceMap>(*seen.snapshot.services);
        services->services[0].multicast = true;
        auto balance = std::make_shared<Balance>(*seen.snapshot.balance);
        balance->settled = true;
        snapshot_ = seen.snapshot;
        snapshot_.services = services;
        snapshot_.balance = balance;
        snapshot_.addresses_v4[0].to_all = true;
        status_ = seen.status;
        flow_.flow.reset();
        if (flow_owner >= 0) {
          flow_.flow = FlowEntry{
              .owner = SlotAt(self, flow_owner), .state = FlowState::kEstablished, .pinned = flow_owner != self};
        }
        const ordered_json steps = Ask("203.0.113.7:40000", "198.51.100.50:80");
        EXPECT_EQ(DeciderOf(*key_, snapshot_), SlotAt(self, owners.current));
        EXPECT_EQ(steps.at("delivery"), "multicast");
        const int to = flow_owner >= 0 ? flow_owner : owners.current;
        EXPECT_EQ(steps.at("frame").at("node"), kNames[to]);
        EXPECT_EQ(steps.at("verdict"), to == owners.current ? "host" : "lan");
        flow_.flow.reset();
        answers.push_back(Ask("203.0.113.7:40000", "198.51.100.50:80").dump() +
                          Ask("203.0.113.7:40000", "198.51.100.50:22").dump());
      }
      EXPECT_EQ(answers[1], answers[0]);
      EXPECT_EQ(answers[2], answers[0]);
    }
  }
}

TEST_F(ExplainTest, WhyNotTheOthers) {
  Seen seen = SeenBy(2, {.current = 0, .previous = 0}, false);
  snapshot_ = seen.snapshot;
  status_ = seen.status;
  EXPECT_EQ(
      json(Ask("203.0.113.7:40000", "198.51.100.50:80").at("others")),
      json::parse(R"([{"name": "n2", "why_not": "its check fails"}, {"name": "n3", "why_not": "without weight"}])"));
}

TEST_F(ExplainTest, WhatIsNotBalanced) {
  EXPECT_EQ(Ask("203.0.113.7:40000", "198.51.100.50:22").at("reason"), "host_service");
  EXPECT_EQ(Ask("203.0.113.7:40000", "198.51.100.50:80", "udp").at("service"), nullptr);
  EXPECT_EQ(Ask("203.0.113.7:40000", "198.51.100.77:80").at("reason"), "host_node");
  snapshot_.balance = nullptr;
  EXPECT_EQ(Ask("203.0.113.7:40000", "198.51.100.50:80").at("reason"), "host_service");
}

TEST_F(ExplainTest, TheTextHasAllSteps) {
  flow_.flow = FlowEntry{.owner = kPeer2, .state = FlowState::kEstablished, .pinned = true};
  const ordered_json steps = Ask("203.0.113.7:40000", "198.51.100.50:80");
  const std::string text = ExplainText(steps);
  EXPECT_THAT(text, HasSubstr("\n  service       web\n"));
  EXPECT_THAT(text, HasSubstr("\n  known flow    owner n3, established, pinned\n"));
  EXPECT_THAT(text, HasSubstr(absl::StrCat("\n  entry         ", steps.at("entry").get<uint64_t>(), " by socket")));
  EXPECT_THAT(text, HasSubstr("owner n2, before n3\n"));
  EXPECT_THAT(text, HasSubstr("\n  not n3: down\n"));
  EXPECT_THAT(text, HasSubstr("n3 on hop 0\n"));
  flow_.flow->pinned = false;
  EXPECT_THAT(ExplainText(Ask("203.0.113.7:40000", "198.51.100.50:80")), Not(HasSubstr("pinned")));
}

TEST_F(ExplainTest, InvalidQuestionsAreRefused) {
  EXPECT_THAT(Refused({{"from", "203.0.113.7"}, {"to", "198.51.100.50:80"}}), HasSubstr("\"203.0.113.7\""));
  EXPECT_THAT(Refused({{"from", 1}, {"to", nullptr}}), HasSubstr("not an address"));
  EXPECT_THAT(Refused({{"from", "203.0.113.7:0"}, {"to", "198.51.100.50:80"}}), HasSubstr("not an address"));
  EXPECT_THAT(Refused({{"from", "2001:db8::7:80"}, {"to", "198.51.100.50:80"}}), HasSubstr("not an address"));
  EXPECT_THAT(Refused({{"from", "203.0.113.7:1"}, {"to", "[2001:db8::1]:80"}}),
              AllOf(HasSubstr("IPv4"), HasSubstr("IPv6")));
  EXPECT_THAT(Refused({{"from", "203.0.113.7:1"}, {"to", "198.51.100.50:80"}, {"protocol", "icmp"}}),
              HasSubstr("tcp or udp"));
  EXPECT_THAT(Refused(json::object()), HasSubstr("not an address"));
}

}  // namespace qure::testing
