// One node: each row of the table of stages, each point at which it may be killed, what it takes from others.
#include "control/core/config/holder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "control/core/timers.h"
#include "tests/unit/cluster_config/support.h"

namespace qure::clusterconfig::test {
namespace {

const Health kWell{.gateway = true, .members = 3, .failing = 1};

// A node that runs a confirmed version, and has a change prepared on top of it.
struct Ready : OneNode {
  explicit Ready(uint8_t number = 2) : OneNode(number) {
    See(kWell);
    HearMap(1, first, Stage::kConfirmed);
    GiveBody(first);
    Prepare(second);
  }
  Made first = Make(1, std::nullopt);
  Made second = Make(2, Seconds(10), first.version());
};

TEST(Holder, VotesForWhatItCanApplyOnceItIsDurable) {
  OneNode node;
  node.hold_saves = true;
  const Made made = Make(1);
  node.Prepare(made);
  EXPECT_EQ(node.Of(made), Stage::kPrepared);
  EXPECT_TRUE(node.Sent<VoteMessage>().empty()) << "not durable";
  node.Store();
  ASSERT_EQ(node.Sent<VoteMessage>().size(), 1u);
  EXPECT_EQ(node.Sent<VoteMessage>()[0].objection, std::nullopt);
  EXPECT_EQ(node.disk.Of(made.version()), Stage::kPrepared);
  EXPECT_TRUE(node.disk.Has(DigestOf(made.body)));
  EXPECT_TRUE(node.applied.empty());
}

TEST(Holder, SaysWhereAndWhyItCannot) {
  OneNode node;
  node.validation = Finding{.where = "cluster.toml:3: gateways", .reason = "two of one family", .remedy = "one"};
  const Made made = Make(1);
  node.Prepare(made);
  ASSERT_EQ(node.Sent<VoteMessage>().size(), 1u);
  EXPECT_EQ(node.Sent<VoteMessage>()[0].objection, node.validation);
  EXPECT_EQ(node.Of(made), Stage::kNone);
}

TEST(Holder, ADryRunLeavesNothing) {
  OneNode node;
  const Made made = Make(1);
  node.Hear(1, PrepareMessage{.entry = made.entry.Bytes(), .dry_run = true});
  node.GiveBody(made);
  ASSERT_EQ(node.Sent<VoteMessage>().size(), 1u);
  EXPECT_EQ(node.Of(made), Stage::kNone);
  EXPECT_TRUE(node.disk.Read().versions.empty());
}

TEST(Holder, RefusesASecondChangeByTheNameOfItsHolder) {
  Ready node;
  const Made third = Make(3);
  node.sent.clear();
  node.Prepare(third);
  ASSERT_EQ(node.Sent<VoteMessage>().size(), 1u);
  ASSERT_TRUE(node.Sent<VoteMessage>()[0].objection);
  EXPECT_EQ(node.Of(third), Stage::kNone);
  node.Hear(1, OpenMessage{.version = node.second.version(), .left_ms = 10'000});
  node.Prepare(Make(4));
  ASSERT_EQ(node.Sent<VoteMessage>().size(), 2u);
  EXPECT_NE(node.Sent<VoteMessage>()[1].objection->reason.find("confirmed"), std::string::npos);
}

TEST(Holder, PreparesOnlyForItsMasterAndItsTerm) {
  OneNode node;
  node.Prepare(Make(1, Seconds(10), {}, 3), 3);     // not followed
  node.Prepare(Make(1, Seconds(10), {}, 1, 2));     // of another term
  const Made forged = Make(1, Seconds(10), {}, 3);  // numbered in its own name, sent by the master
  node.Prepare(forged);
  EXPECT_TRUE(node.Sent<VoteMessage>().empty());
  EXPECT_TRUE(node.config->holder().stages().stages().empty());
}

TEST(Holder, ATrialIsAppliedAndIsInNoMap) {
  Ready node;
  node.Hear(1, TrialMessage{.version = node.second.version()});
  ASSERT_FALSE(node.applied.empty());
  EXPECT_TRUE(node.applied.back().trial);
  EXPECT_EQ(node.applied.back().version, node.second.version());
  node.sent.clear();
  node.Do([&](Actions* out) { node.config->OnDigest(node.now, Node(3), 0, out); });
  ASSERT_EQ(node.Sent<MapMessage>().size(), 1u);
  const MapMessage map = node.Sent<MapMessage>()[0];
  EXPECT_EQ(map.entries.size(), 2u);
  for (const MapMessage::Entry& each : map.entries) {
    EXPECT_EQ(each.stage, each.version == node.second.version() ? Stage::kPrepared : Stage::kConfirmed);
  }
  EXPECT_EQ(node.disk.Of(node.second.version()), Stage::kPrepared);
}

TEST(Holder, ATrialSucceedsWhenNothingIsWorseAHelloIntervalLater) {
  Ready node;
  node.Hear(1, TrialMessage{.version = node.second.version()});
  node.See(kWell);
  EXPECT_TRUE(node.Sent<CheckedMessage>().empty()) << "seen before it could have an effect";
  node.now = node.now + kConfigTrialLeast;
  node.See(kWell);
  ASSERT_EQ(node.Sent<CheckedMessage>().size(), 1u);
  EXPECT_EQ(node.Sent<CheckedMessage>()[0].objection, std::nullopt);
  EXPECT_EQ(node.running(), node.second.version()) << "until the master decides";
  const size_t applied = node.applied.size();
  node.Hear(1, OpenMessage{.version = node.second.version(), .left_ms = 10'000});
  EXPECT_EQ(node.applied.size(), applied) << "from trial to open nothing is applied anew";
  EXPECT_FALSE(node.config->holder().on_trial());
}

TEST(Holder, ATrialFailsByWhatIsWorse) {
  const Health worse[] = {{.gateway = false, .members = 3, .failing = 1},
                          {.gateway = true, .members = 2, .failing = 1},
                          {.gateway = true, .members = 3, .failing = 2}};
  for (const Health& health : worse) {
    Ready node;
    node.Hear(1, TrialMessage{.version = node.second.version()});
    node.now = node.now + kConfigTrialLeast;
    node.See(health);
    EXPECT_TRUE(node.Sent<CheckedMessage>().empty()) << "it has a moment to recover";
    node.Pass(kConfigTrialPatience);
    ASSERT_EQ(node.Sent<CheckedMessage>().size(), 1u);
    EXPECT_TRUE(node.Sent<CheckedMessage>()[0].objection);
    EXPECT_EQ(node.running(), node.first.version());
    EXPECT_EQ(node.Of(node.second), Stage::kPrepared);
  }
}

TEST(Holder, ATrialThatCannotBeAppliedFailsAtOnce) {
  Ready node;
  node.application = Finding{.reason = "no such interface"};
  node.Hear(1, TrialMessage{.version = node.second.version()});
  ASSERT_EQ(node.Sent<CheckedMessage>().size(), 1u);
  EXPECT_EQ(node.Sent<CheckedMessage>()[0].objection, node.application);
}

TEST(Holder, ATrialEndsThoughItsMasterIsLost) {
  Ready node;
  node.Hear(1, TrialMessage{.version = node.second.version()});
  node.Do([&](Actions* out) { node.config->FollowCluster(node.now, std::nullopt, {Node(2)}, out); });
  node.now = node.now + kConfigTrialLeast;
  node.See(kWell);
  node.Pass(kConfigTrial - kConfigTrialLeast - Milliseconds(1));
  EXPECT_EQ(node.running(), node.second.version());
  node.Pass(Milliseconds(1));
  EXPECT_EQ(node.running(), node.first.version());
}

TEST(Holder, AppliesOnceItIsDurable) {
  for (const bool confirmed : {false, true}) {
    Ready node;
    node.hold_saves = true;
    const Version version = node.second.version();
    if (confirmed) {
      node.Hear(1, ConfirmedMessage{.confirm = ConfirmationOf(version, Head(), KeyOf(1)).Bytes()});
    } else {
      node.Hear(1, OpenMessage{.version = version, .left_ms = 10'000});
    }
    EXPECT_EQ(node.running(), node.first.version());
    node.Store();
    EXPECT_EQ(node.running(), version);
    EXPECT_EQ(node.disk.Of(version), confirmed ? Stage::kConfirmed : Stage::kOpen);
  }
}

TEST(Holder, RollsBackAtItsDeadlineEvenIfTheStoreFails) {
  Ready node;
  node.Hear(1, OpenMessage{.version = node.second.version(), .left_ms = 10'000});
  EXPECT_EQ(node.config->NextDeadline(), node.now + Seconds(10));
  node.hold_saves = true;
  node.Pass(Seconds(10) - Milliseconds(1));
  EXPECT_EQ(node.running(), node.second.version());
  node.Pass(Milliseconds(1));
  EXPECT_EQ(node.running(), node.first.version());
  EXPECT_EQ(node.config->holder().ledger().Lost(), std::vector{node.second.version()});
  node.Store(false);
  EXPECT_TRUE(node.saves.empty());
  node.Pass(kConfigRetry);
  node.Store();
  EXPECT_EQ(node.disk.Of(node.second.version()), Stage::kExpired);
  node.Do([&](Actions* out) { node.config->Acknowledge(node.now, out); });
  node.Store();
  EXPECT_TRUE(node.config->holder().ledger().Lost().empty());
  node.Boot();
  EXPECT_TRUE(node.config->holder().ledger().Lost().empty());
}

TEST(Holder, GivesUpWhatIsPrepared) {
  const auto give_up = std::to_array<void (*)(Ready*)>({
      [](Ready* node) { node->Hear(1, AbortMessage{.version = node->second.version()}); },
      [](Ready* node) { node->Pass(kConfigPrepared); },
      [](Ready* node) { node->Boot(); },
      [](Ready* node) { node->Follow(3, 2); },
      [](Ready* node) { node->Follow(1, 2); },
      [](Ready* node) { node->HearMap(3, node->second, Stage::kExpired); },
  });
  for (size_t i = 0; i < give_up.size(); ++i) {
    Ready node;
    give_up[i](&node);
    EXPECT_EQ(node.Of(node.second), Stage::kExpired) << i;
    EXPECT_EQ(node.disk.Of(node.second.version()), Stage::kExpired) << i;
    EXPECT_EQ(node.running(), node.first.version()) << i;
    EXPECT_TRUE(node.config->holder().ledger().Lost().empty()) << "it was never in effect, " << i;
  }
}

TEST(Holder, AnAbortOfAnotherNodeOrAfterOpenIsNone) {
  Ready node;
  node.Hear(3, AbortMessage{.version = node.second.version()});
  EXPECT_EQ(node.Of(node.second), Stage::kPrepared);
  node.Hear(1, OpenMessage{.version = node.second.version(), .left_ms = 10'000});
  node.Hear(1, AbortMessage{.version = node.second.version()});
  EXPECT_EQ(node.Of(node.second), Stage::kOpen);
}

TEST(Holder, IsConfirmedWhereItRunsBeforeItsDeadline) {
  Ready node;
  EXPECT_TRUE(node.Confirm(node.second.version())) << "only prepared";
  node.Hear(1, OpenMessage{.version = node.second.version(), .left_ms = 10'000});
  node.sent.clear();
  node.hold_saves = true;
  EXPECT_EQ(node.Confirm(node.second.version()), std::nullopt);
  EXPECT_TRUE(node.Sent<ConfirmedMessage>().empty()) << "not durable";
  node.Store();
  ASSERT_EQ(node.Sent<ConfirmedMessage>().size(), 1u);
  const auto confirm = ReadConfirm(node.Sent<ConfirmedMessage>()[0].confirm, SelfOf(2).recovery);
  ASSERT_TRUE(confirm);
  EXPECT_EQ(confirm->signer(), Identity(2));
  node.hold_saves = false;
  node.Pass(Seconds(20));
  EXPECT_EQ(node.running(), node.second.version());
  node.Boot();
  EXPECT_EQ(node.running(), node.second.version());

  Ready late;
  late.Hear(1, OpenMessage{.version = late.second.version(), .left_ms = 10'000});
  late.now = late.now + Seconds(10);  // its timer has yet to be looked at
  EXPECT_TRUE(late.Confirm(late.second.version()));
  late.Pass(Seconds(0));
  EXPECT_TRUE(late.Confirm(late.second.version()));
  EXPECT_EQ(late.running(), late.first.version());
}

TEST(Holder, IsNotConfirmedWhereItDoesNotRun) {
  Ready node;
  node.application = Finding{.reason = "no such interface"};
  node.Hear(1, OpenMessage{.version = node.second.version(), .left_ms = 10'000});
  EXPECT_TRUE(node.Confirm(node.second.version()));
  EXPECT_EQ(node.Of(node.second), Stage::kOpen);
}

TEST(Holder, ALateConfirmationIsApplied) {
  Ready node;
  node.Hear(1, OpenMessage{.version = node.second.version(), .left_ms = 10'000});
  node.Pass(Seconds(11));
  ASSERT_EQ(node.running(), node.first.version());
  node.HearMap(3, node.second, Stage::kConfirmed, 0, 3);
  EXPECT_EQ(node.running(), node.second.version());
  EXPECT_TRUE(node.config->holder().ledger().Lost().empty());

  Ready beyond;
  beyond.Hear(1, OpenMessage{.version = beyond.second.version(), .left_ms = 10'000});
  beyond.Pass(Seconds(11));
  const Made third = Make(3, std::nullopt, beyond.first.version());
  beyond.HearMap(1, third, Stage::kConfirmed);
  beyond.GiveBody(third);
  beyond.HearMap(3, beyond.second, Stage::kConfirmed, 0, 3);
  EXPECT_EQ(beyond.running(), third.version());
  EXPECT_EQ(beyond.config->holder().ledger().Lost(), std::vector{beyond.second.version()});
}

// An operator who reads one node's log must not miss it.
TEST(Holder, WhatAnotherNodeHasEndedIsLogged) {
  const auto loud = [](const Ready& node, LogLevel level) {
    const auto is_loud = [&](const Log& log) {
      return log.level == level && log.text.find(ToText(node.second.version())) != std::string::npos;
    };
    return std::ranges::any_of(node.logs, is_loud);
  };
  Ready node;
  node.HearMap(3, node.second, Stage::kExpired);
  EXPECT_FALSE(loud(node, LogLevel::kError)) << "it was not open here";
  Ready open;
  open.Hear(1, OpenMessage{.version = open.second.version(), .left_ms = 10'000});
  open.HearMap(3, open.second, Stage::kExpired);
  EXPECT_EQ(open.running(), open.first.version());
  EXPECT_TRUE(loud(open, LogLevel::kError));
  EXPECT_FALSE(loud(open, LogLevel::kWarning));
  open.HearMap(3, open.second, Stage::kConfirmed, 0, 3);
  EXPECT_EQ(open.running(), open.second.version());
  EXPECT_TRUE(loud(open, LogLevel::kWarning));
}

TEST(Holder, AConfirmationWithoutItsSignatureIsNone) {
  Ready node;
  node.Hear(1, OpenMessage{.version = node.second.version(), .left_ms = 10'000});
  const MapMessage map{.entries = {{.version = node.second.version(), .stage = Stage::kConfirmed}}};
  node.Hear(3, map);
  node.Hear(3, EntryMessage{.entry = node.second.entry.Bytes()});
  node.Hear(3, map);
  EXPECT_EQ(node.Of(node.second), Stage::kOpen);
  // Nor one that no member has signed.
  node.Hear(3, ConfirmedMessage{.confirm = ConfirmationOf(node.second.version(), Head(), KeyOf(9)).Bytes()});
  EXPECT_EQ(node.Of(node.second), Stage::kOpen);
}

// Killed before the store has answered, or after; and before or after what was asked of it is on the disk.
TEST(Holder, AfterAnyKillItRunsWhatIsDurableAndConfirmed) {
  for (const bool confirmed : {false, true}) {
    for (const bool written : {false, true}) {
      for (const bool answered : {false, true}) {
        if (answered && !written) continue;
        Ready node;
        const Version version = node.second.version();
        node.hold_saves = true;
        if (confirmed) {
          node.Hear(1, ConfirmedMessage{.confirm = ConfirmationOf(version, Head(), KeyOf(1)).Bytes()});
        } else {
          node.Hear(1, OpenMessage{.version = version, .left_ms = 10'000});
        }
        if (answered) {
          node.Store();
        } else if (written) {
          for (const Save& save : node.saves) node.disk.Write(save);
        }
        node.hold_saves = false;
        node.Boot();
        const bool stays = confirmed && written;
        EXPECT_EQ(node.Of(node.second), stays ? Stage::kConfirmed : Stage::kExpired);
        EXPECT_EQ(node.running(), stays ? version : node.first.version());
        ASSERT_FALSE(node.applied.empty());
        EXPECT_EQ(node.applied[0].version, node.running()) << "nothing else was applied on the way";
      }
    }
  }
}

TEST(Holder, AVersionThatComesByAMapIsPulledAndApplied) {
  OneNode node;
  std::string body(5'000, 'x');
  body += "end";
  const Made made = Make(1, Seconds(30), {}, 1, 1, body);
  node.HearMap(3, made, Stage::kOpen, 7'000);
  ASSERT_EQ(node.Sent<PullEntryMessage>().size(), 1u);
  ASSERT_EQ(node.Sent<PullBodyMessage>().size(), 1u);
  EXPECT_EQ(node.running(), Version{}) << "its body is not here";
  for (const uint32_t part : {4u, 0u, 2u, 3u}) {
    node.Hear(3, PartMessage{.body = DigestOf(body), .index = part, .part = std::string(PartOf(body, part))});
  }
  node.Pass(kConfigPull);
  ASSERT_EQ(node.Sent<PullBodyMessage>().size(), 2u);
  EXPECT_EQ(node.Sent<PullBodyMessage>()[1].first, 1u) << "the part that is missing";
  node.Hear(3, PartMessage{.body = DigestOf(body), .index = 1, .part = "short"});
  EXPECT_EQ(node.running(), Version{});
  node.Hear(3, PartMessage{.body = DigestOf(body), .index = 1, .part = std::string(PartOf(body, 1))});
  EXPECT_EQ(node.running(), made.version());
  EXPECT_EQ(*node.applied.back().body, body);
  node.Pass(Milliseconds(7'000) - kConfigPull - Milliseconds(1));
  EXPECT_EQ(node.Of(made), Stage::kOpen);
  node.Pass(Milliseconds(1));
  EXPECT_EQ(node.Of(made), Stage::kExpired) << "what was left when it came";
  EXPECT_EQ(node.running(), Version{});
}

TEST(Holder, TimeThatIsLeftOnlyShrinks) {
  Ready node;
  node.Hear(1, OpenMessage{.version = node.second.version(), .left_ms = 4'000'000});
  EXPECT_EQ(node.config->NextDeadline(), node.now + Seconds(10)) << "no more than the entry says";
  node.Pass(Seconds(9));
  node.HearMap(3, node.second, Stage::kOpen, 9'000);
  EXPECT_EQ(node.config->NextDeadline(), node.now + Seconds(1)) << "its own";
}

TEST(Holder, ManyVersionsAreSentWithTheGreatestFirstAndTheRestOnDemand) {
  OneNode node;
  OneNode other(3);
  Version base;
  for (uint64_t n = 1; n <= 40; ++n) {
    const Made made = Make(n, std::nullopt, base);
    base = made.version();
    node.HearMap(1, made, n % 3 == 0 ? Stage::kExpired : Stage::kConfirmed);
    node.GiveBody(made);
  }
  node.sent.clear();
  node.Do([&](Actions* out) { node.config->OnDigest(node.now, Node(3), other.config->digest(), out); });
  ASSERT_EQ(node.Sent<MapMessage>().size(), 1u);
  EXPECT_EQ(node.Sent<MapMessage>()[0].entries.size(), kMapEntries);
  // To each other, as long as one has something for the other.
  for (int round = 0; round < 200 && !(node.sent.empty() && other.sent.empty()); ++round) {
    for (const Message& message : std::exchange(node.sent, {})) other.Hear(2, message);
    for (const Message& message : std::exchange(other.sent, {})) node.Hear(3, message);
    other.Pass(Milliseconds(60));
    node.Pass(Milliseconds(60));
  }
  EXPECT_EQ(other.config->digest(), node.config->digest());
  EXPECT_EQ(other.running(), base);
}

TEST(Holder, WhatCannotBeAppliedIsSaidAndTriedAgain) {
  OneNode node;
  node.application = Finding{.where = "7: lan_port", .reason = "no such interface", .remedy = "plug it in"};
  const Made made = Make(1, std::nullopt);
  node.HearMap(1, made, Stage::kConfirmed);
  node.GiveBody(made);
  EXPECT_EQ(node.Of(made), Stage::kConfirmed);
  ASSERT_TRUE(node.config->holder().unable());
  EXPECT_EQ(node.config->holder().unable()->version, made.version());
  EXPECT_EQ(node.config->holder().unable()->finding, *node.application);
  ASSERT_EQ(node.applied.size(), 1u);
  node.Pass(kConfigRetry);
  EXPECT_EQ(node.applied.size(), 2u);
  EXPECT_TRUE(node.config->holder().unable());
  node.application.reset();
  node.Do([&](Actions* out) { node.config->OnEvent(node.now, out); });
  EXPECT_EQ(node.applied.size(), 3u);
  EXPECT_FALSE(node.config->holder().unable());
  EXPECT_EQ(node.running(), made.version());
}

TEST(Holder, WhatAnExpelledNodeMadeHasNoEffect) {
  OneNode node;
  const Made honest = Make(1, std::nullopt);
  const Made stolen = Make(1, std::nullopt, honest.version(), 3, 5);
  node.HearMap(1, honest, Stage::kConfirmed);
  node.GiveBody(honest);
  node.HearMap(3, stolen, Stage::kConfirmed, 0, 3);
  node.GiveBody(stolen);
  ASSERT_EQ(node.running(), stolen.version());
  const admission::View without =
      admission::ViewOf(admission::test::SetOf({admission::test::AdmitRecord(1, 2), admission::test::AdmitRecord(1, 3),
                                                admission::test::RosterRecord(1, {1, 2})}));
  node.Do([&](Actions* out) { node.config->FollowView(node.now, without, out); });
  EXPECT_EQ(node.running(), honest.version());
  EXPECT_EQ(node.disk.Of(stolen.version()), Stage::kNone);
  node.HearMap(3, stolen, Stage::kConfirmed, 0, 3);
  EXPECT_EQ(node.Of(stolen), Stage::kNone) << "from a node that does not know the roster";
  // Its confirmation of an honest change has none either.
  const Made open = Make(2, Seconds(10), honest.version());
  node.HearMap(1, open, Stage::kConfirmed, 0, 3);
  EXPECT_NE(node.Of(open), Stage::kConfirmed);
}

TEST(Holder, WhatANodeThatLeftHasMadeStays) {
  OneNode node;
  const Made made = Make(1, std::nullopt, {}, 3);
  node.HearMap(3, made, Stage::kConfirmed, 0, 3);
  node.GiveBody(made);
  const admission::View left = admission::ViewOf(admission::test::SetOf(
      {admission::test::AdmitRecord(1, 2), admission::test::AdmitRecord(1, 3), admission::test::LeaveRecord(3)}));
  node.Do([&](Actions* out) { node.config->FollowView(node.now, left, out); });
  EXPECT_EQ(node.running(), made.version());
}

TEST(Holder, WithNothingToGoBackToItRunsOn) {
  OneNode node;
  const Made stolen = Make(1, std::nullopt, {}, 3);
  node.HearMap(3, stolen, Stage::kConfirmed, 0, 3);
  node.GiveBody(stolen);
  const admission::View without = admission::ViewOf(admission::test::SetOf({admission::test::RosterRecord(1, {1, 2})}));
  node.Do([&](Actions* out) { node.config->FollowView(node.now, without, out); });
  EXPECT_EQ(node.running(), stolen.version());
  EXPECT_EQ(node.config->holder().InEffect(), std::nullopt);
}

TEST(Holder, ABadStoreIsNoConfiguration) {
  StoredConfig stored;
  stored.versions.push_back({.entry = {1, 2, 3}, .stage = Stage::kConfirmed});
  const Made made = Make(1, std::nullopt);
  stored.versions.push_back({.entry = made.entry.Bytes(), .confirm = {7}, .stage = Stage::kConfirmed});
  Configuration config(SelfOf(2), stored);
  Actions out;
  config.FollowView(At(0), ViewOf(3), &out);
  config.Start(At(0), &out);
  EXPECT_EQ(config.holder().stages().Of(made.version()), Stage::kExpired) << "its confirmation does not read";
  EXPECT_EQ(config.holder().InEffect(), std::nullopt);
}

}  // namespace
}  // namespace qure::clusterconfig::test
