// What is believed of the gateway: answers to our own questions, and nothing else that anyone may send as it.
#include "control/core/address/gateway_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "control/core/address/service_addresses.h"
#include "control/core/timers.h"
#include "tests/unit/core/support.h"

namespace qure::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr std::string_view kGateway = "198.51.100.1";
const MacAddress kNodeMac = NodeMac(kNodeId, 0);

class FieldE7 : public ::testing::Test {
 protected:
  FieldE7() { Configure({.node_id = kNodeId, .lan_mac = LanMac(), .address = Ip("198.51.100.11").v4()}); }

  void Configure(const NodeFacts& facts) {
    ClusterConfig config = MakeConfig({{"198.51.100.50/24"}});
    config.gateways = {Ip(kGateway)};
    watch_.Configure(facts, config);
  }
  void Ask() { watch_.Ask(now_, &out_); }
  bool Answers(const MacAddress& from, const MacAddress& to = kNodeMac) {
    return watch_.OnAnswer(now_, {.kind = EventKind::kNeighbor, .mac = from, .to = to, .ip = Ip(kGateway)}, &out_);
  }
  void Hint(const MacAddress& from) {
    watch_.OnHint(now_, {.kind = EventKind::kGatewayHint, .mac = from, .ip = Ip(kGateway)}, &out_);
  }
  std::vector<std::string> Done() {
    std::vector<std::string> done;
    for (const Action& action : std::exchange(out_, {})) done.push_back(Describe(action));
    return done;
  }

  MonoTime now_ = kStart;
  GatewayWatch watch_;
  Actions out_;
};

constexpr std::string_view kAskAll = "ARP node>broadcast: request sender=node/198.51.100.11 target=zero/198.51.100.1";
constexpr std::string_view kAskIt = "ARP node>gateway: request sender=node/198.51.100.11 target=gateway/198.51.100.1";

TEST_F(FieldE7, WhatNobodyAskedForIsNotBelieved) {
  EXPECT_FALSE(Answers(Stranger()));
  Ask();
  EXPECT_THAT(Done(), ElementsAre(kAskAll)) << "it has not taught where the gateway is";
}

TEST_F(FieldE7, OneQuestionHasOneAnswer) {
  Ask();
  EXPECT_TRUE(Answers(GatewayMac()));
  EXPECT_FALSE(Answers(GatewayMac()));
  Done();
  Ask();
  EXPECT_THAT(Done(), ElementsAre(kAskIt));
  EXPECT_TRUE(Answers(GatewayMac()));
}

TEST_F(FieldE7, ItAnswersWhenItHasAnsweredTheLastQuestion) {
  EXPECT_FALSE(watch_.AllAnswer()) << "nobody asked";
  Ask();
  EXPECT_FALSE(watch_.AllAnswer());
  Answers(GatewayMac());
  EXPECT_TRUE(watch_.AllAnswer());
  watch_.Asks(now_, Ip(kGateway), ServiceMacOf("198.51.100.50"));
  EXPECT_TRUE(watch_.AllAnswer()) << "that is a question of a service address";
  Ask();
  EXPECT_FALSE(watch_.AllAnswer());
  EXPECT_TRUE(GatewayWatch().AllAnswer()) << "there is none";
}

TEST_F(FieldE7, OnlyTheMacThatAskedIsAnswered) {
  Ask();
  EXPECT_FALSE(Answers(GatewayMac(), ServiceMacOf("198.51.100.50")));
  EXPECT_FALSE(Answers(GatewayMac(), LanMac()));
  EXPECT_EQ(watch_.Asks(now_, Ip(kGateway), ServiceMacOf("198.51.100.50")), std::nullopt);
  EXPECT_TRUE(Answers(GatewayMac(), ServiceMacOf("198.51.100.50")));
  EXPECT_TRUE(Answers(GatewayMac(), kNodeMac)) << "each question for itself";
}

TEST_F(FieldE7, AnAnswerThatIsLateIsNone) {
  Ask();
  now_ = now_ + kGatewayAnswer + Milliseconds(1);
  EXPECT_FALSE(Answers(GatewayMac()));
}

TEST_F(FieldE7, AnotherMacIsNotBelievedWhileTheGatewayAnswers) {
  Ask();
  EXPECT_TRUE(Answers(GatewayMac()));
  for (int i = 0; i < 5; ++i) {
    now_ = now_ + Seconds(1);
    Done();
    Ask();
    EXPECT_FALSE(Answers(Stranger()));
    EXPECT_TRUE(Answers(GatewayMac()));
    const std::vector<std::string> done = Done();
    EXPECT_EQ(done.front(), kAskIt);
    EXPECT_EQ(done.size(), i == 0 ? 2 : 1) << "said once";
    EXPECT_THAT(done.back(), HasSubstr(i == 0 ? "00:00:5e:00:53:aa" : "gateway"));
  }
}

TEST_F(FieldE7, ASecondAnswerToAllIsSaid) {
  Ask();
  EXPECT_TRUE(Answers(GatewayMac()));
  Done();
  EXPECT_FALSE(Answers(Stranger()));
  EXPECT_THAT(Done(), ElementsAre(HasSubstr("00:00:5e:00:53:aa")));
}

// A new router announces itself: the old one is asked, and is silent.
TEST_F(FieldE7, AHintLeadsToAQuestionAndThatToTheNewGateway) {
  Ask();
  EXPECT_TRUE(Answers(GatewayMac()));
  now_ = now_ + Seconds(30);
  Done();
  Hint(Stranger2());
  EXPECT_THAT(Done(), ElementsAre(kAskIt));
  EXPECT_FALSE(Answers(Stranger2())) << "while the old one may still answer";
  Done();
  now_ = watch_.deadline();
  EXPECT_EQ(now_, kStart + Seconds(30) + kGatewayPatience);
  watch_.Tick(now_, &out_);
  EXPECT_THAT(Done(), ElementsAre(kAskAll));
  EXPECT_TRUE(Answers(Stranger2()));
  EXPECT_EQ(watch_.deadline(), kNever);
}

TEST_F(FieldE7, ManyHintsMakeFewQuestions) {
  Ask();
  EXPECT_TRUE(Answers(GatewayMac()));
  Done();
  for (int i = 0; i < 1000; ++i) {
    now_ = now_ + Milliseconds(1);
    Hint(Stranger());
    Answers(GatewayMac());
  }
  EXPECT_EQ(Done().size(), 1) << "in a second";
  Hint(GatewayMac());
  EXPECT_THAT(Done(), IsEmpty()) << "where it is known to be";
}

// The kernel has the address at the port's own MAC, and the gateway has to go on finding it there.
TEST_F(FieldE7, InSharedModeTheQuestionIsTheKernels) {
  Configure(
      {.node_id = kNodeId, .lan_mac = LanMac(), .lan_mode = LanMode::kShared, .address = Ip("198.51.100.11").v4()});
  Ask();
  EXPECT_THAT(Done(), ElementsAre("ARP lan>broadcast: request sender=lan/198.51.100.11 target=zero/198.51.100.1"));
  EXPECT_TRUE(Answers(GatewayMac(), LanMac()));
}

// Nodes without any address of their own ask as the link-local one that follows from the node id.
TEST_F(FieldE7, ANodeWithoutAnAddressAsksAsALinkLocalOne) {
  Configure({.node_id = kNodeId, .lan_mac = LanMac()});
  Ask();
  EXPECT_THAT(Done(), ElementsAre(HasSubstr("sender=node/169.254.")));
}

// The holder of the service address hears the question for it at the service MAC, and nobody else takes it for a probe.
TEST(FieldA4, TheQuestionForAServiceAddressGoesToItsMacAndHasASender) {
  for (const LanMode mode : {LanMode::kDedicated, LanMode::kShared}) {
    std::mt19937_64 random(1);
    ServiceAddresses addresses(random);
    ClusterConfig config = MakeConfig({{"198.51.100.50/24"}, {"2001:db8:2::50/64"}});
    config.gateways = {Ip(kGateway)};
    Actions out;
    const NodeFacts facts{
        .node_id = kNodeId, .lan_mac = LanMac(), .lan_mode = mode, .address = Ip("198.51.100.11").v4()};
    addresses.Configure(kStart, facts, config, std::nullopt, &out);
    out.clear();
    addresses.Ask(kStart, &out);
    ASSERT_EQ(out.size(), 3);
    const std::string sender = mode == LanMode::kShared ? "lan" : "node";
    EXPECT_EQ(Describe(out[0]), absl::StrCat("ARP ", sender, ">service: request sender=", sender,
                                             "/198.51.100.11 target=service/198.51.100.50"));
    EXPECT_THAT(Describe(out[1]), HasSubstr("ND node>service: NS fe80::"));
    for (const Action& action : out) EXPECT_THAT(Describe(action), Not(HasSubstr("/0.0.0.0 target")));
  }
}

// The switch may take the service MAC to be at this node's own port, and brings nobody what is sent there.
TEST(FieldA4, ANodeThatHoldsTheAddressAsksAll) {
  std::mt19937_64 random(1);
  ServiceAddresses addresses(random);
  Actions out;
  const NodeFacts facts{.node_id = kNodeId, .lan_mac = LanMac(), .address = Ip("198.51.100.11").v4()};
  addresses.Configure(kStart, facts, MakeConfig({{"198.51.100.50/24"}}), std::nullopt, &out);
  addresses.SetLeads(kStart, true, /*warm=*/false, &out);
  MonoTime now = kStart;
  for (; !addresses.AnyHeld() && now < kStart + Seconds(5); now = addresses.deadline()) addresses.TickClaims(now, &out);
  ASSERT_TRUE(addresses.AnyHeld());
  out.clear();
  addresses.Ask(now, &out);
  ASSERT_EQ(out.size(), 1);
  EXPECT_THAT(Describe(out[0]), HasSubstr(">broadcast: request"));
}

// Where no MAC is the service's own, all are asked.
TEST(FieldA4, WithTheInterfacesOwnMacsAllAreAsked) {
  std::mt19937_64 random(1);
  ServiceAddresses addresses(random);
  ClusterConfig config = MakeConfig({{"198.51.100.50/24"}});
  config.service_mac = ServiceMac::kInterface;
  Actions out;
  addresses.Configure(kStart, {.node_id = kNodeId, .lan_mac = LanMac(), .address = Ip("198.51.100.11").v4()}, config,
                      std::nullopt, &out);
  out.clear();
  addresses.Ask(kStart, &out);
  ASSERT_EQ(out.size(), 1);
  EXPECT_EQ(Describe(out[0]), "ARP lan>broadcast: request sender=lan/198.51.100.11 target=zero/198.51.100.50");
}

// The whole core: one frame as the gateway neither verifies a claim nor moves what goes back through the master.
TEST_F(FieldE7, OneFrameAsTheGatewayChangesNothing) {
  Node node;
  ClusterConfig config = MakeConfig({{"198.51.100.50/24"}});
  config.gateways = {Ip(kGateway)};
  node.Configure(config);
  node.RunUntilState(ClaimState::kHeld);
  node.HearGateway(kGateway, GatewayMac());
  EXPECT_TRUE(node.claim().verified);
  EXPECT_EQ(node.snapshot().gateway_mac_v4, GatewayMac());
  node.RunFor(Seconds(5));
  node.HearGateway(kGateway, Stranger());
  node.Hear({.kind = EventKind::kGatewayHint, .mac = Stranger(), .ip = Ip(kGateway)});
  EXPECT_EQ(node.snapshot().gateway_mac_v4, GatewayMac());
  node.RunFor(Seconds(65));  // the refresh: the gateway is away, the other goes on
  EXPECT_GE(node.claim().verify_failures, 5);
  EXPECT_TRUE(node.claim().alarm);
  node.Hear({.kind = EventKind::kGatewayHint, .mac = Stranger(), .ip = Ip(kGateway)});
  EXPECT_TRUE(node.claim().alarm) << "it has said where it is, and answered nothing";
}

}  // namespace
}  // namespace qure::test
