// The master's side: numbers, votes, the canary, the verdict, and what it refuses.
#include "control/core/config/proposer.h"

#include <gtest/gtest.h>

#include "control/core/timers.h"
#include "tests/unit/cluster_config/support.h"

namespace qure::clusterconfig::test {
namespace {

// Node 1 is master of 1, 2 and 3, ranked so.
struct Master : OneNode {
  explicit Master(uint8_t members = 3) : OneNode(1, members) { See({.gateway = true, .members = 3, .failing = 0}); }

  void Propose(Request request, std::string_view body = "text") {
    request.id = ++id;
    if (!request.body) request.body = std::make_shared<const std::string>(body);
    Do([&](Actions* out) { config->Propose(now, request, "operator", Head(), out); });
  }
  void Vote(uint8_t from, std::optional<Finding> objection = std::nullopt) {
    Hear(from, VoteMessage{.version = version(), .objection = std::move(objection)});
  }
  void Checked(uint8_t from, std::optional<Finding> objection = std::nullopt) {
    Hear(from, CheckedMessage{.version = version(), .objection = std::move(objection)});
  }
  // Of the last change that was sent to others, or of what is in the map.
  Version version() const {
    const auto prepares = Sent<PrepareMessage>();
    if (!prepares.empty()) return EntryOf(*ReadEntry(prepares.back().entry, SelfOf(1).recovery)).version;
    return config->holder().stages().stages().rbegin()->first;
  }
  Stage stage() const { return config->holder().stages().Of(version()); }
  uint64_t id = 0;
};

const Finding kNo{.where = "3: addresses", .reason = "not a number", .remedy = "an address"};

TEST(Proposer, AsksOthersOnceItsOwnVoteIsDurable) {
  Master master;
  master.hold_saves = true;
  master.Propose({.confirm = Seconds(10)});
  EXPECT_TRUE(master.Sent<PrepareMessage>().empty());
  master.Store();
  EXPECT_EQ(master.Sent<PrepareMessage>().size(), 2u);
  EXPECT_EQ(master.disk.Of(master.version()), Stage::kPrepared);
  EXPECT_EQ(master.version().n, 1u);
}

TEST(Proposer, LetsTheLowestRankedMemberTryIt) {
  Master master;
  master.Propose({.confirm = Seconds(10)});
  master.Vote(2);
  EXPECT_TRUE(master.Sent<TrialMessage>().empty()) << "one vote is missing";
  master.Vote(3);
  EXPECT_EQ(master.Sent<TrialMessage>().size(), 1u);
  master.Checked(2);
  EXPECT_EQ(master.stage(), Stage::kPrepared) << "no canary";
  master.Checked(3);
  EXPECT_EQ(master.stage(), Stage::kOpen);
  ASSERT_EQ(master.Sent<OpenMessage>().size(), 1u);
  EXPECT_EQ(master.Sent<OpenMessage>()[0].left_ms, 10'000u);
  ASSERT_EQ(master.answered.size(), 1u);
  EXPECT_EQ(master.answered[0].refusal, std::nullopt);
  EXPECT_EQ(master.running(), master.version());
}

TEST(Proposer, AloneItIsItsOwnCanary) {
  Master master(1);
  master.Propose({.confirm = Seconds(10)});
  EXPECT_TRUE(master.config->holder().on_trial());
  master.now = master.now + kConfigTrialLeast;
  master.See({.gateway = true, .members = 3, .failing = 0});
  EXPECT_EQ(master.stage(), Stage::kOpen);

  Master worse(1);
  worse.Propose({.confirm = Seconds(10)});
  worse.Pass(kConfigTrialLeast);
  worse.See({.gateway = false, .members = 3, .failing = 0});
  worse.Pass(kConfigTrialPatience);
  EXPECT_EQ(worse.stage(), Stage::kExpired);
  ASSERT_EQ(worse.answered.size(), 1u);
  EXPECT_EQ(worse.answered[0].node, Node(1));
  EXPECT_EQ(worse.running(), Version{});
}

TEST(Proposer, WithoutConfirmOrCanaryItIsConfirmedByTheVotes) {
  Master master;
  master.Propose({.canary = false});
  master.Vote(2);
  master.hold_saves = true;
  master.Vote(3);
  EXPECT_EQ(master.stage(), Stage::kConfirmed);
  EXPECT_TRUE(master.Sent<ConfirmedMessage>().empty()) << "not durable";
  master.Store();
  EXPECT_EQ(master.Sent<ConfirmedMessage>().size(), 1u);
  EXPECT_TRUE(master.Sent<TrialMessage>().empty());
}

TEST(Proposer, AnObjectionGivesItUpEverywhere) {
  for (const bool at_trial : {false, true}) {
    Master master;
    master.Propose({.confirm = Seconds(10)});
    master.Vote(2);
    if (at_trial) {
      master.Vote(3);
      master.Checked(3, kNo);
    } else {
      master.Vote(3, kNo);
    }
    EXPECT_EQ(master.stage(), Stage::kExpired);
    EXPECT_EQ(master.Sent<AbortMessage>().size(), 1u);
    ASSERT_EQ(master.answered.size(), 1u);
    EXPECT_EQ(master.answered[0].node, Node(3));
    EXPECT_EQ(master.answered[0].refusal, kNo);
    EXPECT_EQ(master.running(), Version{});
  }
}

TEST(Proposer, ItsOwnObjectionReachesNobody) {
  Master master;
  master.validation = kNo;
  master.Propose({});
  ASSERT_EQ(master.answered.size(), 1u);
  EXPECT_EQ(master.answered[0].node, Node(1));
  EXPECT_EQ(master.answered[0].refusal, kNo);
  EXPECT_TRUE(master.sent.empty());
  EXPECT_TRUE(master.config->holder().stages().stages().empty());
}

TEST(Proposer, ADryRunIsVotesOnly) {
  Master master;
  master.Propose({.confirm = Seconds(10), .dry_run = true});
  ASSERT_EQ(master.Sent<PrepareMessage>().size(), 2u);
  EXPECT_TRUE(master.Sent<PrepareMessage>()[0].dry_run);
  const std::string body = "text";
  master.Hear(2, PullBodyMessage{.body = DigestOf(body), .first = 0});
  ASSERT_EQ(master.Sent<PartMessage>().size(), 1u);
  EXPECT_EQ(master.Sent<PartMessage>()[0].part, body);
  master.Vote(2);
  master.Vote(3);
  ASSERT_EQ(master.answered.size(), 1u);
  EXPECT_EQ(master.answered[0].refusal, std::nullopt);
  EXPECT_TRUE(master.Sent<TrialMessage>().empty());
  EXPECT_TRUE(master.config->holder().stages().stages().empty());
  EXPECT_TRUE(master.disk.Read().versions.empty());
}

TEST(Proposer, RefusesWhatCannotBegin) {
  Master master;
  master.Propose({.confirm = Milliseconds(999)});
  master.Propose({.confirm = Seconds(86'401)});
  master.Propose({.body = std::make_shared<const std::string>()});
  master.Propose({.body = std::make_shared<const std::string>(admission::kMaxConfigBody + 1, 'x')});
  ASSERT_EQ(master.answered.size(), 4u);
  EXPECT_TRUE(master.sent.empty());
  master.Propose({.confirm = Seconds(10)});
  master.Propose({.confirm = Seconds(10)});
  ASSERT_EQ(master.answered.size(), 5u) << "one is being prepared";
  master.Vote(2);
  master.Vote(3);
  master.Checked(3);
  ASSERT_EQ(master.answered.size(), 6u);
  master.Propose({.confirm = Seconds(10)});
  ASSERT_EQ(master.answered.size(), 7u) << "one waits to be confirmed";
  for (const Answered& answer : master.answered) EXPECT_EQ(answer.refusal.has_value(), answer.id != 5);
  EXPECT_EQ(master.answered.back().node, Node(1));
}

TEST(Proposer, RefusesAChangeOfWhatIsNotInEffectAnyMore) {
  Master master;
  master.Propose({.canary = false, .base = Version{}});
  ASSERT_EQ(master.answered.size(), 1u);
  EXPECT_TRUE(master.answered[0].refusal) << "nothing is in effect";
  const Made first = Make(1, std::nullopt);
  const Made second = Make(2, std::nullopt, first.version());
  master.HearMap(2, first, Stage::kConfirmed);
  master.GiveBody(first, 2);
  master.Propose({.canary = false, .base = second.version()});
  ASSERT_EQ(master.answered.size(), 2u);
  ASSERT_TRUE(master.answered[1].refusal);
  EXPECT_FALSE(master.answered[1].refusal->remedy.empty());
  EXPECT_TRUE(master.Sent<PrepareMessage>().empty());
  master.Propose({.canary = false, .base = first.version()});
  EXPECT_EQ(master.Sent<PrepareMessage>().size(), 2u);
  EXPECT_EQ(master.answered.size(), 2u);
}

TEST(Proposer, TheSameOfAForwardedOne) {
  OneNode node;
  const auto body = std::make_shared<const std::string>("text");
  const Version base = Make(1).version();
  node.Do(
      [&](Actions* out) { node.config->Propose(node.now, {.id = 8, .body = body, .base = base}, "n2", Head(), out); });
  ASSERT_EQ(node.Sent<ForwardMessage>().size(), 1u);
  EXPECT_EQ(node.Sent<ForwardMessage>()[0].base, base);
  Master master;
  master.Hear(2, node.Sent<ForwardMessage>()[0]);
  master.Hear(2, PartMessage{.body = DigestOf(*body), .index = 0, .part = *body});
  ASSERT_EQ(master.Sent<AnswerMessage>().size(), 1u);
  EXPECT_TRUE(master.Sent<AnswerMessage>()[0].refusal);
  EXPECT_TRUE(master.Sent<PrepareMessage>().empty());
}

TEST(Proposer, NumbersGrowWithinATerm) {
  Master master;
  for (uint64_t n = 1; n <= 3; ++n) {
    master.Propose({.canary = false});
    master.Vote(2, n == 2 ? std::optional(kNo) : std::nullopt);
    master.Vote(3);
    EXPECT_EQ(master.version().n, n);
  }
  master.Follow(1, 2);
  master.Propose({.canary = false});
  EXPECT_EQ(master.version().n, 1u);
  EXPECT_EQ(master.version().term, TermOf(1, 2));
}

TEST(Proposer, WhoIsNotReachableIsNotWaitedFor) {
  Master master;
  master.Propose({.canary = false});
  master.Vote(2);
  master.Do([&](Actions* out) {
    master.config->FollowCluster(master.now, Mastership{.node = Node(1), .term = TermOf(1)}, {Node(1), Node(2)}, out);
  });
  master.Pass(Milliseconds(0));
  EXPECT_EQ(master.stage(), Stage::kConfirmed);
}

TEST(Proposer, WhoDoesNotAnswerIsNamed) {
  Master master;
  master.Propose({.confirm = Seconds(10)});
  master.Vote(2);
  master.Pass(kConfigAgain);
  EXPECT_EQ(master.Sent<PrepareMessage>().size(), 3u) << "asked again, but not who has voted";
  master.Pass(kConfigVotes);
  ASSERT_EQ(master.answered.size(), 1u);
  EXPECT_EQ(master.answered[0].node, Node(3));
  EXPECT_EQ(master.stage(), Stage::kExpired);

  Master lost;
  lost.Propose({.confirm = Seconds(10)});
  lost.Vote(2);
  lost.Vote(3);
  lost.Do([&](Actions* out) {
    lost.config->FollowCluster(lost.now, Mastership{.node = Node(1), .term = TermOf(1)}, {Node(1), Node(2)}, out);
  });
  ASSERT_EQ(lost.answered.size(), 1u) << "the canary is gone";
  EXPECT_EQ(lost.answered[0].node, Node(3));
}

TEST(Proposer, AnotherMasterEndsIt) {
  Master master;
  master.Propose({.confirm = Seconds(10)});
  const Version version = master.version();
  master.Follow(2, 2);
  ASSERT_EQ(master.answered.size(), 1u);
  EXPECT_TRUE(master.answered[0].refusal);
  EXPECT_EQ(master.config->holder().stages().Of(version), Stage::kExpired);
}

TEST(Proposer, TheOperatorGivesItUp) {
  Master master;
  bool aborted = true;
  master.Do([&](Actions* out) { aborted = master.config->Abort(master.now, Head(), out); });
  EXPECT_FALSE(aborted);
  master.Propose({.confirm = Seconds(10)});
  master.Do([&](Actions* out) { aborted = master.config->Abort(master.now, Head(), out); });
  EXPECT_TRUE(aborted);
  EXPECT_EQ(master.stage(), Stage::kExpired);
}

TEST(Proposer, AForwardedChangeIsPulledAndAnswered) {
  Master master;
  const std::string body(3'000, 'y');
  const ForwardMessage forward{
      .id = 5, .body = DigestOf(body), .size = 3'000, .timeout_ms = 9'000, .canary = false, .by = "n2"};
  master.Hear(2, forward);
  master.Hear(2, forward);
  ASSERT_EQ(master.Sent<PullBodyMessage>().size(), 1u);
  for (uint32_t part = 0; part < 3; ++part) {
    master.Hear(2, PartMessage{.body = DigestOf(body), .index = part, .part = std::string(PartOf(body, part))});
  }
  master.Hear(2, forward);
  ASSERT_EQ(master.Sent<PrepareMessage>().size(), 2u);
  EXPECT_TRUE(master.Sent<AnswerMessage>().empty());
  master.Vote(2);
  master.Vote(3);
  EXPECT_EQ(master.stage(), Stage::kOpen);
  ASSERT_EQ(master.Sent<AnswerMessage>().size(), 1u);
  EXPECT_EQ(master.Sent<AnswerMessage>()[0].id, 5u);
  EXPECT_EQ(master.Sent<AnswerMessage>()[0].refusal, std::nullopt);
  EXPECT_TRUE(master.answered.empty());
}

TEST(Proposer, ABodyWithAMissingPartIsRefusedInTheEnd) {
  Master master;
  const std::string body(3'000, 'y');
  master.Hear(2, ForwardMessage{.id = 5, .body = DigestOf(body), .size = 3'000});
  master.Hear(2, PartMessage{.body = DigestOf(body), .index = 1, .part = std::string(PartOf(body, 1))});
  master.Pass(kConfigPull);
  EXPECT_EQ(master.Sent<PullBodyMessage>().size(), 2u);
  master.Pass(kConfigForward);
  ASSERT_EQ(master.Sent<AnswerMessage>().size(), 1u);
  EXPECT_TRUE(master.Sent<AnswerMessage>()[0].refusal);
  EXPECT_TRUE(master.Sent<PrepareMessage>().empty());
}

TEST(Proposer, AMemberForwardsToItsMasterAndGivesItTheBody) {
  OneNode node;
  const auto body = std::make_shared<const std::string>("text");
  node.Do([&](Actions* out) { node.config->Propose(node.now, {.id = 8, .body = body}, "n2", Head(), out); });
  ASSERT_EQ(node.Sent<ForwardMessage>().size(), 1u);
  EXPECT_EQ(node.Sent<ForwardMessage>()[0].by, "n2");
  node.Pass(kConfigAgain);
  EXPECT_EQ(node.Sent<ForwardMessage>().size(), 2u);
  node.Hear(1, PullBodyMessage{.body = DigestOf(*body)});
  EXPECT_EQ(node.Sent<PartMessage>().size(), 1u);
  node.Pass(kConfigAgain);
  EXPECT_EQ(node.Sent<ForwardMessage>().size(), 2u);
  node.Hear(3, AnswerMessage{.id = 8});
  EXPECT_TRUE(node.answered.empty()) << "no master";
  node.Hear(1, AnswerMessage{.id = 8, .node = Node(3), .refusal = kNo});
  ASSERT_EQ(node.answered.size(), 1u);
  EXPECT_EQ(node.answered[0].refusal, kNo);

  node.Do([&](Actions* out) { node.config->Propose(node.now, {.id = 9, .body = body}, "n2", Head(), out); });
  node.Pass(Seconds(60));
  ASSERT_EQ(node.answered.size(), 2u);
  EXPECT_TRUE(node.answered[1].refusal);
}

TEST(Proposer, NumbersAnewOneHourAfterARollback) {
  Master master;
  const Made first = Make(1, std::nullopt);
  master.HearMap(2, first, Stage::kConfirmed);
  master.GiveBody(first, 2);
  master.Propose({.confirm = Seconds(10), .canary = false});
  master.Vote(2);
  master.Vote(3);
  const Version late = master.version();
  master.Pass(Seconds(10));
  ASSERT_EQ(master.running(), first.version());
  constexpr uint64_t kHour = 3'600'000;
  const auto tick_at = [&](uint64_t uptime_ms) {
    master.Do([&](Actions* out) { master.config->Tick(master.now, Head(uptime_ms), out); });
  };
  tick_at(kHour + 9'999);
  EXPECT_EQ(master.running(), first.version());
  tick_at(kHour + 10'000);
  const Version renumbered = master.running();
  EXPECT_GT(renumbered, late);
  EXPECT_EQ(*master.applied.back().body, first.body);
  master.Hear(3, ConfirmedMessage{.confirm = ConfirmationOf(late, Head(), KeyOf(3)).Bytes()});
  EXPECT_EQ(master.running(), renumbered);
  EXPECT_EQ(master.config->holder().ledger().Lost(), std::vector{late});
  tick_at(3 * kHour);
  EXPECT_EQ(master.running(), renumbered) << "once";
}

TEST(Proposer, BelowAChangeOfALaterTermItNumbersNothing) {
  Master master;
  const Made later = Make(1, std::nullopt, {}, 2, 9);
  master.HearMap(2, later, Stage::kConfirmed, 0, 2);
  master.GiveBody(later, 2);
  master.Propose({.canary = false});
  ASSERT_EQ(master.answered.size(), 1u);
  EXPECT_TRUE(master.answered[0].refusal);
  bool renumbered = true;
  master.Do([&](Actions* out) { renumbered = master.config->Renumber(master.now, Head(), out); });
  EXPECT_FALSE(renumbered);
}

}  // namespace
}  // namespace qure::clusterconfig::test
