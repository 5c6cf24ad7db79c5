// Verification: the gateway's answer to the service MAC proves that switch and cache lead here.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "control/core/timers.h"
#include "tests/unit/core/support.h"

namespace qure::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ClaimVerifyTest : public ::testing::TestWithParam<Family> {
 protected:
  void SetUp() override {
    config_ = MakeConfig({{family().prefix}});
    config_.gateways = {Ip("203.0.113.1"), Ip("2001:db8:ffff::1")};
    config_.gateways[Ip(family().gateway).is_v6() ? 1 : 0] = Ip(family().gateway);
    node_.Configure(config_);
    while (node_.claim().state != ClaimState::kHeld) {
      node_.Forget();
      node_.TickAt(node_.deadline());
    }
    held_ = node_.now();
  }

  const Family& family() const { return GetParam(); }
  void GatewayAnswers(bool to_service_mac = true) { node_.HearGateway(family().gateway, GatewayMac(), to_service_mac); }

  // Frames other than announcements.
  std::vector<std::string> Questions() const {
    std::vector<std::string> questions;
    for (const std::string& frame : node_.Sent(held_)) {
      if (absl::EndsWith(frame, family().ask_all) || absl::EndsWith(frame, family().ask_gateway)) {
        questions.push_back(frame);
      } else {
        EXPECT_TRUE(std::ranges::any_of(family().announcements, [&](const auto& a) {
          return absl::EndsWith(frame, a);
        })) << frame;
      }
    }
    return questions;
  }

  Node node_;
  ClusterConfig config_;
  MonoTime held_;
};

INSTANTIATE_TEST_SUITE_P(Families, ClaimVerifyTest, ::testing::Values(FamilyV4(), FamilyV6()),
                         [](const auto& test) { return test.param.name; });

TEST_P(ClaimVerifyTest, AsksAllAtOnceThenTheGatewayWithEachRefresh) {
  EXPECT_FALSE(node_.claim().verified);
  GatewayAnswers();
  EXPECT_TRUE(node_.claim().verified);
  node_.RunUntil(held_ + Seconds(65));
  GatewayAnswers();
  node_.RunUntil(held_ + Seconds(125));
  EXPECT_THAT(Questions(), ElementsAre("+0 ms: " + family().ask_all, "+64400 ms: " + family().ask_gateway,
                                       "+124400 ms: " + family().ask_gateway));
  EXPECT_EQ(node_.claim().verify_failures, 0);
  EXPECT_TRUE(node_.claim().verified);
}

TEST_P(ClaimVerifyTest, AsksAgainUntilAnswered) {
  node_.RunUntil(held_ + Milliseconds(2500));
  GatewayAnswers();
  node_.RunUntil(held_ + Seconds(60));
  EXPECT_THAT(Questions(), ElementsAre("+0 ms: " + family().ask_all, "+1000 ms: " + family().ask_all,
                                       "+2000 ms: " + family().ask_all));
  EXPECT_EQ(node_.claim().verify_failures, 2);
  EXPECT_TRUE(node_.claim().verified);
  EXPECT_THAT(node_.Logs(LogLevel::kWarning), IsEmpty());
}

TEST_P(ClaimVerifyTest, AlarmAfterFiveUnansweredAndRecovery) {
  node_.RunUntil(held_ + Milliseconds(4999));
  EXPECT_FALSE(node_.claim().alarm);
  node_.RunUntil(held_ + Seconds(5));
  EXPECT_TRUE(node_.claim().alarm);
  EXPECT_EQ(node_.claim().verify_failures, 5);
  node_.RunUntil(held_ + Seconds(100));
  EXPECT_EQ(node_.claim().verify_failures, 100) << "it goes on asking";
  EXPECT_THAT(node_.Logs(LogLevel::kWarning),
              ElementsAre(HasSubstr(absl::StrCat("gateway ", family().gateway, " does not answer to ", family().ip))));
  EXPECT_EQ(node_.claim().state, ClaimState::kHeld);

  node_.Forget();
  GatewayAnswers();
  EXPECT_TRUE(node_.claim().verified);
  EXPECT_FALSE(node_.claim().alarm);
  EXPECT_THAT(node_.Logs(LogLevel::kInfo), ElementsAre(HasSubstr("answers")));
  EXPECT_EQ(node_.claim().verify_failures, 100);
}

TEST_P(ClaimVerifyTest, VerifiedUntilTheAlarmAndAlarmCountsInARowOnly) {
  GatewayAnswers();
  node_.RunUntil(held_ + Milliseconds(64400 + 4500));
  EXPECT_EQ(node_.claim().verify_failures, 4);
  EXPECT_TRUE(node_.claim().verified);
  GatewayAnswers();
  node_.RunUntil(held_ + Milliseconds(124400 + 4500));
  EXPECT_EQ(node_.claim().verify_failures, 8);
  EXPECT_FALSE(node_.claim().alarm);
  node_.RunFor(Seconds(1));
  EXPECT_TRUE(node_.claim().alarm);
  EXPECT_FALSE(node_.claim().verified);
}

TEST_P(ClaimVerifyTest, SilentGatewayIsSearchedAnew) {
  GatewayAnswers();
  node_.Forget();
  node_.RunUntil(held_ + Seconds(66));
  EXPECT_THAT(Questions(), ElementsAre("+64400 ms: " + family().ask_gateway, "+65400 ms: " + family().ask_all));
  node_.HearGateway(family().gateway, Stranger2());  // the new one
  node_.Forget();
  node_.RunUntil(held_ + Seconds(125));
  const std::vector<std::string> sent = node_.Sent(held_);
  ASSERT_FALSE(sent.empty());
  EXPECT_THAT(sent.back(), HasSubstr("service>stranger2: "));
  EXPECT_TRUE(node_.claim().verified);
}

TEST_P(ClaimVerifyTest, AnswerToAnotherMacDoesNotVerify) {
  GatewayAnswers(/*to_service_mac=*/false);
  EXPECT_FALSE(node_.claim().verified);
  node_.RunUntil(held_ + Seconds(1));
  EXPECT_EQ(node_.claim().verify_failures, 1);
  GatewayAnswers();
  EXPECT_TRUE(node_.claim().verified);
  GatewayAnswers(/*to_service_mac=*/false);
  EXPECT_TRUE(node_.claim().verified);
}

TEST_P(ClaimVerifyTest, OthersAnswersDoNotCount) {
  node_.HearGateway(family().other_ip, GatewayMac());
  node_.HearGateway(Ip(family().gateway).is_v6() ? "203.0.113.1" : "2001:db8:ffff::1", GatewayMac());
  EXPECT_FALSE(node_.claim().verified);
}

TEST_P(ClaimVerifyTest, ChangedGatewayIsAskedAtOnceAndServiceGoesOn) {
  GatewayAnswers();
  node_.Forget();
  config_.gateways = {Ip(family().other_ip)};
  node_.Configure(config_);
  EXPECT_EQ(node_.claim().state, ClaimState::kHeld);
  EXPECT_FALSE(node_.claim().verified);
  EXPECT_EQ(node_.snapshot().gateways, config_.gateways);
  const std::vector<std::string> actions = node_.Described();
  ASSERT_EQ(actions.size(), 2);
  EXPECT_EQ(actions[0], absl::StrCat("snapshot 4: serving ", family().ip));
  EXPECT_TRUE(absl::StrContains(actions[1], absl::StrCat("/", family().other_ip)) ||
              absl::StrContains(actions[1], absl::StrCat("target=", family().other_ip)))
      << actions[1];
  EXPECT_FALSE(absl::StrContains(actions[1], ">gateway:")) << "where the new one is, is not known";
  GatewayAnswers();
  EXPECT_FALSE(node_.claim().verified) << "the old gateway";
  node_.HearGateway(family().other_ip, GatewayMac());
  EXPECT_TRUE(node_.claim().verified);
}

using FieldA2 = ClaimVerifyTest;
INSTANTIATE_TEST_SUITE_P(Families, FieldA2, ::testing::Values(FamilyV4(), FamilyV6()),
                         [](const auto& test) { return test.param.name; });

// The switch returns every announcement a little later: what is sent is what would be sent without it.
TEST_P(FieldA2, OurOwnAnnouncementsThatComeBackAreIgnored) {
  const auto announcements = [&] {
    return std::ranges::count_if(node_.steps(), [&](const Step& step) {
      return std::holds_alternative<SendFrame>(step.action) && Describe(step.action) == family().announcement;
    });
  };
  GatewayAnswers();
  node_.Forget();
  const Event echo{.kind = EventKind::kServiceMacSeen, .mac = node_.claim().mac, .ip = Ip(family().ip)};
  const MonoTime end = node_.now() + Seconds(30);
  ptrdiff_t returned = 0;
  node_.Hear(echo);  // the first one, sent as the address was taken
  while (node_.deadline() <= end) {
    node_.TickAt(node_.deadline());
    GatewayAnswers();
    for (; returned < announcements(); ++returned) {
      node_.RunFor(Microseconds(200));
      node_.Hear(echo);
    }
  }
  EXPECT_EQ(announcements(), 4) << "at 20 ms, 1.1, 2.2 and 4.4 s";
  EXPECT_EQ(node_.Logs(LogLevel::kWarning).size(), 1) << "said once";
}

TEST_P(FieldA2, AFrameThatNoneOfOursExplainsIsAnotherNodes) {
  GatewayAnswers();
  node_.RunUntil(held_ + Seconds(10));
  node_.Forget();
  node_.Hear({.kind = EventKind::kServiceMacSeen, .mac = node_.claim().mac, .ip = Ip(family().ip)});
  node_.RunFor(kAnnounceAgain);
  EXPECT_THAT(node_.Sent(held_ + Seconds(10)), ::testing::Contains(HasSubstr(family().announcement)));
  EXPECT_THAT(node_.Logs(LogLevel::kWarning), IsEmpty());
}

TEST_P(ClaimVerifyTest, RemovedGatewayEndsVerification) {
  node_.RunUntil(held_ + Seconds(6));
  EXPECT_TRUE(node_.claim().alarm);
  config_.gateways.clear();
  node_.Configure(config_);
  EXPECT_FALSE(node_.claim().alarm);
  node_.Forget();
  node_.RunUntil(held_ + Seconds(100));
  EXPECT_THAT(Questions(), IsEmpty());
  EXPECT_FALSE(node_.claim().verified);
}

}  // namespace
}  // namespace qure::test
