// A claim on its way: probing, taken, alternatives, held, announced. Both address families alike.
#include "control/core/address/claim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "control/core/timers.h"
#include "tests/unit/core/support.h"

namespace qure::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ClaimTest : public ::testing::TestWithParam<Family> {
 protected:
  const Family& family() const { return GetParam(); }
  ClusterConfig OneCandidate() const { return MakeConfig({{family().prefix}}); }
  ClusterConfig TwoCandidates() const { return MakeConfig({{family().prefix, family().other_prefix}}); }
};

INSTANTIATE_TEST_SUITE_P(Families, ClaimTest, ::testing::Values(FamilyV4(), FamilyV6()),
                         [](const auto& test) { return test.param.name; });

// Times of the probes among the steps; fails on any other frame.
std::vector<MonoTime> ProbeTimes(const Node& node, const std::string& probe) {
  std::vector<MonoTime> times;
  for (const Step& step : node.steps()) {
    if (!std::holds_alternative<SendFrame>(step.action)) continue;
    EXPECT_EQ(Describe(step.action), probe);
    times.push_back(step.at);
  }
  return times;
}

TEST_P(ClaimTest, FreeAddressIsHeldAfterThreeProbesAndSilence) {
  std::set<int64_t> gaps;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    Node node(seed);
    ClusterConfig config = OneCandidate();
    config.probe_interval = Milliseconds(100);
    node.Configure(config);
    std::vector<MonoTime> probes;
    while (probes.size() < kProbeCount) {
      node.TickOn();
      EXPECT_EQ(node.claim().state, ClaimState::kProbing);
      probes = ProbeTimes(node, family().probe);
    }
    EXPECT_LE(probes[0], kStart + kProbeWaitMax);
    for (size_t i = 1; i < probes.size(); ++i) {
      EXPECT_GE(probes[i] - probes[i - 1], Milliseconds(80));
      EXPECT_LE(probes[i] - probes[i - 1], Milliseconds(120));
      gaps.insert((probes[i] - probes[i - 1]).ns);
    }
    node.RunUntil(probes.back() + Milliseconds(100) - Microseconds(1));
    EXPECT_FALSE(node.Serves(family().ip));
    node.RunUntil(probes.back() + Milliseconds(100));
    EXPECT_EQ(node.claim().state, ClaimState::kHeld);
    EXPECT_EQ(node.claim().mac, ServiceMacOf(family().ip));
    EXPECT_TRUE(node.Serves(family().ip));
  }
  EXPECT_GT(gaps.size(), 100) << "spread by chance";
}

TEST_P(ClaimTest, ActionsOnGainingAreInASafeOrder) {
  Node node;
  node.Configure(OneCandidate());
  EXPECT_THAT(node.Described(), ElementsAre(absl::StrCat("snapshot 1: watching ", family().ip)));
  while (node.claim().state != ClaimState::kHeld) {
    node.Forget();
    node.TickOn();
  }
  std::vector<std::string> expected = {
      absl::StrCat("snapshot 2: serving ", family().ip), absl::StrCat("host addresses: ", family().prefix), "open gate",
      absl::StrCat("log: ", family().ip, " is free; held now, at ", ToString(ServiceMacOf(family().ip)))};
  expected.insert(expected.end(), family().announcements.begin(), family().announcements.end());
  EXPECT_EQ(node.Described(), expected);
}

TEST_P(ClaimTest, TakenByUseWhileProbing) {
  Node node;
  node.Configure(OneCandidate());
  node.TickOn();
  node.HearUsed(family().ip, Stranger());
  EXPECT_EQ(node.claim().state, ClaimState::kTaken);
  EXPECT_EQ(node.claim().holder, Stranger());
  EXPECT_THAT(node.Logs(LogLevel::kWarning),
              ElementsAre(absl::StrCat(family().ip, " is held by 00:00:5e:00:53:aa; trying again in 10 s")));
  EXPECT_THAT(node.host_addresses(), IsEmpty());
  EXPECT_FALSE(node.Serves(family().ip));
  EXPECT_EQ(node.status().role, NodeRole::kStandby);
}

TEST_P(ClaimTest, TakenByUseInTheSilenceAfterTheLastProbe) {
  Node node;
  node.Configure(OneCandidate());
  for (int i = 0; i < kProbeCount; ++i) node.TickOn();
  node.HearUsed(family().ip, Stranger());
  EXPECT_EQ(node.claim().state, ClaimState::kTaken);
}

TEST_P(ClaimTest, TakenBeforeTheFirstProbe) {
  Node node;
  node.Configure(OneCandidate());
  node.HearUsed(family().ip, Stranger());
  EXPECT_EQ(node.claim().state, ClaimState::kTaken);
  EXPECT_THAT(node.Sent(kStart), IsEmpty());
}

TEST_P(ClaimTest, TakenBySimultaneousProbe) {
  Node node;
  node.Configure(OneCandidate());
  node.HearProbed(family().ip, Stranger());
  EXPECT_EQ(node.claim().state, ClaimState::kTaken);
  EXPECT_EQ(node.claim().holder, Stranger());
  EXPECT_THAT(node.Logs(LogLevel::kWarning), ElementsAre(HasSubstr("is being claimed by 00:00:5e:00:53:aa")));
}

TEST_P(ClaimTest, TakenByAnotherNodeOfTheCluster) {
  Node node;
  node.Configure(OneCandidate());
  node.HearUsed(family().ip, ServiceMacOf(family().ip));
  EXPECT_EQ(node.claim().state, ClaimState::kTaken);
  EXPECT_THAT(node.Logs(LogLevel::kWarning), ElementsAre(HasSubstr("(another node of the cluster)")));
}

TEST_P(ClaimTest, EchoesAndOtherAddressesDoNotDisturbProbing) {
  Node node;
  node.Configure(TwoCandidates());
  const auto disturb = [&] {
    node.HearProbed(family().ip, NodeMac(kNodeId, 0));
    node.HearUsed(family().ip, NodeMac(kNodeId, 0));
    node.HearUsed(family().ip, LanMac());
    node.HearUsed(family().other_ip, Stranger());
    node.HearProbed(family().other_ip, Stranger());
    node.HearGateway(family().ip, Stranger());
  };
  for (int i = 0; i <= kProbeCount; ++i) {
    disturb();
    node.TickOn();
  }
  EXPECT_EQ(node.claim().state, ClaimState::kHeld);
  EXPECT_EQ(node.claim().address, Prefix(family().prefix));
}

TEST_P(ClaimTest, NextCandidateIsTriedAtOnce) {
  Node node;
  node.Configure(TwoCandidates());
  node.TickOn();
  node.HearUsed(family().ip, Stranger());
  EXPECT_EQ(node.claim().state, ClaimState::kProbing);
  EXPECT_EQ(node.claim().address, Prefix(family().other_prefix));
  EXPECT_LE(node.deadline(), node.now() + kProbeWaitMax);
  EXPECT_THAT(node.host_addresses(), IsEmpty());
  EXPECT_THAT(node.Logs(LogLevel::kWarning), ElementsAre(HasSubstr(absl::StrCat("; trying ", family().other_ip))));
  node.Forget();
  node.RunUntilState(ClaimState::kHeld);
  EXPECT_THAT(node.host_addresses(), ElementsAre(Prefix(family().other_prefix)));
  EXPECT_EQ(node.claim().mac, ServiceMacOf(family().other_ip));
  EXPECT_TRUE(node.Serves(family().other_ip));
}

TEST_P(ClaimTest, AllTakenIsTriedAgainFromTheFirst) {
  Node node;
  node.Configure(TwoCandidates());
  node.HearUsed(family().ip, Stranger());
  node.HearUsed(family().other_ip, Stranger2());
  EXPECT_EQ(node.claim().state, ClaimState::kTaken);
  EXPECT_EQ(node.claim().holder, Stranger2());
  const MonoTime taken = node.now();
  node.HearProbed(family().other_ip, Stranger());  // changes nothing
  EXPECT_EQ(node.claim().state, ClaimState::kTaken);

  node.TickOn();
  EXPECT_GE(node.now() - taken, Seconds(8));
  EXPECT_LE(node.now() - taken, Seconds(12));
  EXPECT_EQ(node.claim().state, ClaimState::kProbing);
  EXPECT_EQ(node.claim().address, Prefix(family().prefix));
  EXPECT_EQ(node.claim().holder, std::nullopt);
  node.HearUsed(family().ip, Stranger());
  EXPECT_EQ(node.claim().address, Prefix(family().other_prefix)) << "a new round";
  node.RunUntilState(ClaimState::kHeld);
}

TEST_P(ClaimTest, RetriesGoOnUntilTheAddressIsFreeAndWarnOnce) {
  Node node;
  node.Configure(OneCandidate());
  std::set<int64_t> waits;
  for (int i = 0; i < 20; ++i) {
    node.HearUsed(family().ip, Stranger());
    ASSERT_EQ(node.claim().state, ClaimState::kTaken);
    const MonoTime taken = node.now();
    node.TickOn();
    waits.insert((node.now() - taken).ns);
    ASSERT_EQ(node.claim().state, ClaimState::kProbing);
  }
  EXPECT_EQ(waits.size(), 20) << "spread by chance";
  EXPECT_EQ(node.Logs(LogLevel::kWarning).size(), 1);
  EXPECT_EQ(node.Logs(LogLevel::kDebug).size(), 19);
  node.HearUsed(family().ip, Stranger2());
  EXPECT_EQ(node.Logs(LogLevel::kWarning).size(), 2) << "a new holder is news";
  node.RunUntilState(ClaimState::kHeld);
}

TEST_P(ClaimTest, SilenceWhileAsleepDoesNotCount) {
  Node node;
  node.Configure(OneCandidate());
  for (int i = 0; i < kProbeCount; ++i) node.TickOn();
  node.Forget();
  node.TickAt(node.now() + Seconds(30));
  EXPECT_EQ(node.claim().state, ClaimState::kProbing);
  for (int i = 0; i < kProbeCount; ++i) node.TickOn();
  EXPECT_EQ(ProbeTimes(node, family().probe).size(), kProbeCount);
  node.TickOn();
  EXPECT_EQ(node.claim().state, ClaimState::kHeld);
}

TEST_P(ClaimTest, AnnouncementsComeOnSchedule) {
  Node node;
  node.Configure(OneCandidate());
  while (node.claim().state != ClaimState::kHeld) {
    node.Forget();
    node.TickOn();
  }
  const MonoTime held = node.now();
  node.RunUntil(held + Seconds(190));
  std::vector<std::string> expected;
  for (const int ms : {0, 20, 1100, 2200, 4400, 64400, 124400, 184400}) {
    for (const std::string& form : family().announcements) expected.push_back(absl::StrCat("+", ms, " ms: ", form));
  }
  EXPECT_EQ(node.Sent(held), expected) << "without a gateway there is nothing to verify";
  EXPECT_FALSE(node.claim().verified);
  EXPECT_FALSE(node.claim().alarm);
}

TEST_P(ClaimTest, WhereServicesAreForAllNodesTheGroupIsAnnounced) {
  Node node;
  ClusterConfig config = OneCandidate();
  node.Configure(config);
  node.RunUntilState(ClaimState::kHeld);
  node.RunUntil(node.now() + Seconds(10));
  const MacAddress mac = node.claim().mac;
  const MonoTime changed = node.now();
  node.Forget();
  config.services = {{.name = "web", .first_port = 80, .last_port = 80, .delivery = ServiceDelivery::kMulticast}};
  node.Configure(config);
  EXPECT_EQ(node.claim().state, ClaimState::kHeld) << "the cache is updated, nothing is lost";
  EXPECT_EQ(node.claim().mac, mac);
  EXPECT_TRUE(node.claim().to_all);
  EXPECT_EQ(node.Sent(changed).size(), family().announcements.size());
  const MacAddress group = GroupMac(mac);
  for (const Step& step : node.steps()) {
    const auto* const frame = std::get_if<SendFrame>(&step.action);
    if (frame == nullptr) continue;
    EXPECT_THAT(Describe(*frame), HasSubstr("service>")) << "never sourced from the group";
    const auto& bytes = frame->bytes;
    EXPECT_NE(std::search(bytes.begin(), bytes.end(), group.bytes.begin(), group.bytes.end()), bytes.end());
  }
  node.HearUsed(family().ip, GroupMac(mac));
  EXPECT_EQ(node.claim().conflicts, 0U) << "another node of the cluster";
}

TEST_P(ClaimTest, MissedAnnouncementsAreNotMadeUpInABurst) {
  Node node;
  node.Configure(OneCandidate());
  node.RunUntilState(ClaimState::kHeld);
  const MonoTime held = node.now();
  node.Forget();
  node.TickAt(held + Seconds(3));
  EXPECT_EQ(node.Sent(held).size(), family().announcements.size());
  EXPECT_EQ(node.deadline(), held + Milliseconds(4400));
}

TEST_P(ClaimTest, TickBeforeTheDeadlineDoesNothing) {
  Node node;
  node.Configure(OneCandidate());
  node.RunUntilState(ClaimState::kHeld);
  node.Forget();
  node.TickAt(node.deadline() - Microseconds(1));
  EXPECT_THAT(node.steps(), IsEmpty());
}

TEST(ClaimState, HasNames) {
  EXPECT_EQ(NameOf(ClaimState::kProbing), "probing");
  EXPECT_EQ(NameOf(ClaimState::kHeld), "held");
  EXPECT_EQ(NameOf(ClaimState::kTaken), "taken");
}

}  // namespace
}  // namespace qure::test
