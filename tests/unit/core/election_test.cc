// The rules of mastership, one by one: what a node hears and what it does. The simulator shows
// how they stand together under faults (tests/sim).
#include "control/core/cluster/election.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/core/timers.h"
#include "control/core/wire.h"
#include "tests/unit/core/support.h"

namespace qure::test {
namespace {

using What = Outgoing::What;

constexpr NodeId kSelf{5};
constexpr NodeId kBetter{9};
constexpr NodeId kWorse{2};
constexpr uint32_t kEra = 3;

Term TermOf(const NodeId& node, uint64_t epoch) {
  return {.era = kEra, .epoch = epoch, .holder = HolderOf(node)};
}

class ElectionTest : public ::testing::Test {
 protected:
  ElectionTest() {
    input_ = {.rank = {.node = kSelf}, .era = kEra, .has_era = true, .eligible = true};
    election_.OnEpochsStored({.era = kEra, .epoch = 1000}, true);
  }

  // A HELLO of `node`, who follows `master` (none: no master) under `term`.
  void Hear(const NodeId& node, std::optional<NodeId> master = {}, const Term& term = {},
            std::optional<NodeId> deputy = {}) {
    Incoming incoming{
        .node = node, .boot = {node[0]}, .from = {.mac = Mac("02:00:00:00:00:09"), .address = {}}, .message = {}};
    wire::Hello& hello = *incoming.message.mutable_hello();
    hello.set_age(1);
    hello.set_era(kEra);
    hello.set_ready(true);
    if (master) hello.set_master(WriteId(*master));
    if (deputy) hello.set_deputy(WriteId(*deputy));
    WriteTerm(term, hello.mutable_master_term());
    WriteTerm(term, hello.mutable_highest_term());
    for (const MemberChange& change : members_.OnMessage(now_, incoming, &hello)) {
      election_.OnMemberChange(now_, input_, change, &out_);
    }
    election_.OnMessage(now_, input_, incoming, &hello, &out_);
  }
  void Hear(const NodeId& node, const wire::Message& message) {
    election_.OnMessage(now_, input_, {.node = node, .boot = {node[0]}, .from = {}, .message = message}, nullptr,
                        &out_);
  }
  void Notify(EventKind kind, uint64_t stalls = 0) {
    const Event event{.kind = kind, .span = Milliseconds(20), .stalls = stalls, .at = now_, .term = election_.term()};
    election_.OnEvent(now_, input_, event, &out_);
  }
  void Gone(const NodeId& node, MemberChange::Kind kind) {
    election_.OnMemberChange(now_, input_, {.kind = kind, .node = node}, &out_);
  }
  void RunFor(Duration span) {
    const MonoTime end = now_ + span;
    election_.Tick(now_, input_, &out_);
    while (election_.deadline() <= end) {
      now_ = std::max(now_, election_.deadline());
      election_.Tick(now_, input_, &out_);
    }
    now_ = end;
  }
  void Lead() {
    election_.OnEra(now_, input_, /*founded=*/true, &out_);
    RunFor(kCandidateListen);
    ASSERT_EQ(election_.role(), Role::kMaster);
  }
  // Master with kWorse as acknowledged deputy.
  void LeadWithDeputy() {
    Lead();
    Hear(kWorse, kSelf, election_.term());
    RunFor(Milliseconds(1));
    ASSERT_EQ(election_.phase(), MasterPhase::kOffering);
    Notify(EventKind::kDeputyReady);
    ASSERT_EQ(election_.phase(), MasterPhase::kLeased);
    sent();
    input_.informed = kWorse;
  }
  void FollowAsDeputy() {
    Hear(kBetter, kBetter, TermOf(kBetter, 7), kSelf);
    Hear(kBetter, kBetter, TermOf(kBetter, 7), kSelf);
    ASSERT_EQ(election_.role(), Role::kMember);
    ASSERT_EQ(election_.deputy(), kSelf);
    sent();
  }
  std::vector<What> sent() {
    std::vector<What> whats;
    for (const Outgoing& outgoing : election_.TakeOutgoing()) whats.push_back(outgoing.what);
    return whats;
  }

  MonoTime now_ = kStart;
  ElectionInput input_;
  Membership members_{kSelf};
  Election election_{kSelf, {}, &members_};
  Actions out_;
};

TEST_F(ElectionTest, FounderListensThenLeads) {
  election_.OnEra(now_, input_, true, &out_);
  RunFor(kCandidateListen - Milliseconds(1));
  EXPECT_EQ(election_.role(), Role::kCandidate);
  EXPECT_FALSE(election_.gate_open());
  EXPECT_THAT(sent(), ::testing::Contains(What::kQuery));
  RunFor(Milliseconds(1));
  EXPECT_EQ(election_.role(), Role::kMaster);
  EXPECT_TRUE(election_.gate_open());
  EXPECT_EQ(election_.term(), TermOf(kSelf, 1));
  EXPECT_FALSE(election_.warm()) << "no node held the addresses before";
  EXPECT_THAT(sent(), ::testing::Contains(What::kClaim));
}

TEST_F(ElectionTest, ANodeThatHearsAMasterFollowsIt) {
  election_.OnEra(now_, input_, true, &out_);
  Hear(kWorse, kWorse, TermOf(kWorse, 4));
  EXPECT_EQ(election_.role(), Role::kMember) << "the incumbent stays, whatever its rank";
  EXPECT_EQ(election_.heartbeat_role(), HeartbeatRole::kFollow);
  RunFor(Milliseconds(500));
  EXPECT_EQ(election_.role(), Role::kMember);
}

TEST_F(ElectionTest, HigherTermWinsAtOnce) {
  LeadWithDeputy();
  Hear(kBetter, kBetter, TermOf(kBetter, 2));
  EXPECT_EQ(election_.role(), Role::kMember);
  EXPECT_FALSE(election_.gate_open());
  EXPECT_EQ(election_.term(), TermOf(kBetter, 2));
}

// The link of the LAN port.
class FieldA13Link : public ElectionTest {};

TEST_F(FieldA13Link, DownGivesTheMastershipUpAtOnce) {
  LeadWithDeputy();
  input_.eligible = false;
  Notify(EventKind::kLinkDown);
  EXPECT_FALSE(election_.gate_open());
  EXPECT_EQ(election_.role(), Role::kIdle);
  RunFor(Seconds(5));
  EXPECT_EQ(election_.role(), Role::kIdle) << "nobody hears it";
  EXPECT_THAT(sent(), ::testing::IsEmpty());
}

TEST_F(FieldA13Link, UpYieldsToTheDeputyAndAsks) {
  LeadWithDeputy();
  const Term term = election_.term();
  Notify(EventKind::kLinkDown);
  now_ = now_ + Milliseconds(5);
  Notify(EventKind::kLinkUp, 1);
  const std::vector<Outgoing> outgoing = election_.TakeOutgoing();
  const auto yield = std::ranges::find(outgoing, What::kYield, &Outgoing::what);
  ASSERT_NE(yield, outgoing.end());
  EXPECT_EQ(yield->node, kWorse);
  EXPECT_EQ(yield->term, term);
  EXPECT_NE(std::ranges::find(outgoing, What::kQuery, &Outgoing::what), outgoing.end());
  EXPECT_FALSE(election_.gate_open());
  RunFor(kCandidateListen);
  EXPECT_TRUE(election_.gate_open()) << "no other node answered";
  EXPECT_GT(election_.term(), term);
  EXPECT_EQ(election_.stalls_known(), 1U);
}

TEST_F(FieldA13Link, UpFollowsWhoLeadsByThen) {
  LeadWithDeputy();
  Notify(EventKind::kLinkDown);
  now_ = now_ + Seconds(1);
  Notify(EventKind::kLinkUp, 1);
  Hear(kWorse, kWorse, TermOf(kWorse, 2));
  RunFor(Seconds(1));
  EXPECT_EQ(election_.role(), Role::kMember);
  Notify(EventKind::kLinkDown);
  EXPECT_EQ(election_.role(), Role::kMember) << "the master is not gone for that";
}

TEST_F(FieldA13Link, ANodeAloneKeepsItsAddresses) {
  input_.alone = true;
  Lead();
  Notify(EventKind::kLinkDown);
  EXPECT_EQ(election_.role(), Role::kMaster);
  Notify(EventKind::kLinkUp, 1);
  RunFor(kCandidateListen);
  EXPECT_TRUE(election_.gate_open());
  EXPECT_EQ(election_.stalls_known(), 1U);
}

TEST_F(ElectionTest, HigherTermWinsByHearsay) {
  Lead();
  Hear(kWorse, kBetter, TermOf(kBetter, 2));
  EXPECT_FALSE(election_.gate_open());
  EXPECT_EQ(election_.master(), kBetter);
  RunFor(kHearsay);
  EXPECT_NE(election_.role(), Role::kMember) << "no node names it any more";
}

TEST_F(ElectionTest, LowerTermIsToldOfUs) {
  Lead();
  sent();
  Hear(kWorse, kWorse, TermOf(kWorse, 1));
  EXPECT_EQ(election_.role(), Role::kMaster);
  EXPECT_THAT(sent(), ::testing::Contains(What::kHello));
}

TEST_F(ElectionTest, TermsOfAnotherEraAreNoRivals) {
  Lead();
  Hear(kBetter, kBetter, {.era = kEra + 1, .epoch = 9, .holder = HolderOf(kBetter)});
  EXPECT_EQ(election_.role(), Role::kMaster) << "Lifetime decides first which era it is";
}

TEST_F(ElectionTest, DeputyTakesOverOnSilence) {
  input_.needs_gateway = true;
  FollowAsDeputy();
  Notify(EventKind::kMasterSuspect);
  EXPECT_THAT(sent(), ::testing::Contains(What::kAskLan));
  now_ = now_ + Milliseconds(1);
  Notify(EventKind::kNeighbor);
  now_ = now_ + Milliseconds(2);
  Notify(EventKind::kMasterSilent);
  EXPECT_EQ(election_.role(), Role::kMaster);
  EXPECT_TRUE(election_.gate_open());
  EXPECT_TRUE(election_.warm());
  EXPECT_EQ(election_.term(), TermOf(kSelf, 8));
  EXPECT_EQ(election_.last_takeover()->cause, Cause::kSilence);
  EXPECT_EQ(election_.last_takeover()->took, Milliseconds(3));
}

TEST_F(ElectionTest, SilenceThatIsHeardLateIsAskedAbout) {
  FollowAsDeputy();
  const Event silent{.kind = EventKind::kMasterSilent, .span = Milliseconds(20), .at = now_, .term = election_.term()};
  now_ = now_ + Milliseconds(11);
  election_.OnEvent(now_, input_, silent, &out_);
  EXPECT_EQ(election_.role(), Role::kCandidate) << "the master may have gone on alone since";
}

TEST_F(ElectionTest, AnAnswerForTheAddressVetoes) {
  FollowAsDeputy();
  Notify(EventKind::kMasterSuspect);
  Notify(EventKind::kAddressUsed);
  Notify(EventKind::kMasterSilent);
  EXPECT_EQ(election_.role(), Role::kCandidate);
  EXPECT_FALSE(election_.gate_open());
}

using FieldA14 = ElectionTest;

// A busy gateway answers later than the deputy asks before its limit.
TEST_F(FieldA14, TheDeputyLeadsAsSoonAsASlowGatewayAnswers) {
  input_.needs_gateway = true;
  FollowAsDeputy();
  Notify(EventKind::kMasterSuspect);
  RunFor(Milliseconds(3));
  Notify(EventKind::kMasterSilent);
  EXPECT_EQ(election_.role(), Role::kCandidate);
  RunFor(Milliseconds(6));
  EXPECT_EQ(election_.role(), Role::kCandidate);
  Notify(EventKind::kNeighbor);
  RunFor(Duration{});
  EXPECT_EQ(election_.role(), Role::kMaster) << "without listening any longer";
  EXPECT_EQ(election_.last_takeover()->cause, Cause::kSilence);
  EXPECT_EQ(election_.last_takeover()->took, Milliseconds(9));
}

TEST_F(FieldA14, TheProofOfSilenceEnds) {
  input_.needs_gateway = true;
  FollowAsDeputy();
  Notify(EventKind::kMasterSuspect);
  Notify(EventKind::kMasterSilent);
  RunFor(kSilenceHolds + Milliseconds(1));
  Notify(EventKind::kNeighbor);
  RunFor(kCandidateAsk);
  EXPECT_EQ(election_.last_takeover()->cause, Cause::kElected);
}

TEST_F(FieldA14, AMembersOldWordDoesNotUndoAProvenSilence) {
  input_.needs_gateway = true;
  FollowAsDeputy();
  Notify(EventKind::kMasterSuspect);
  Notify(EventKind::kMasterSilent);
  Hear(kWorse, kBetter, TermOf(kBetter, 7), kSelf);   // has not missed it yet
  Hear(kBetter, kBetter, TermOf(kBetter, 7), kSelf);  // was on its way
  EXPECT_EQ(election_.role(), Role::kCandidate);
  RunFor(kOldWord);
  Hear(kWorse, kBetter, TermOf(kBetter, 7), kSelf);
  EXPECT_EQ(election_.role(), Role::kCandidate);
  Notify(EventKind::kNeighbor);
  RunFor(Duration{});
  EXPECT_EQ(election_.role(), Role::kMaster);
}

TEST_F(FieldA14, AMasterThatSpeaksAgainIsFollowed) {
  input_.needs_gateway = true;
  FollowAsDeputy();
  Notify(EventKind::kMasterSuspect);
  Notify(EventKind::kMasterSilent);
  RunFor(kOldWord + Milliseconds(1));
  Hear(kBetter, kBetter, TermOf(kBetter, 7), kSelf);
  EXPECT_EQ(election_.role(), Role::kMember);
}

TEST_F(FieldA14, AnotherMastersWordIsFollowedAtOnce) {
  input_.needs_gateway = true;
  FollowAsDeputy();
  Notify(EventKind::kMasterSuspect);
  Notify(EventKind::kMasterSilent);
  Hear(kWorse, kWorse, TermOf(kWorse, 8));
  EXPECT_EQ(election_.master(), kWorse);
}

using FieldA8 = ElectionTest;

// The gateway reboots while the master dies: hosts of the LAN are served without it.
TEST_F(FieldA8, WhereItIsNotRequiredANodeThatHearsTheLanLeadsWithoutTheGateway) {
  input_.needs_gateway = true;
  input_.gateway_required = false;
  FollowAsDeputy();
  Notify(EventKind::kMasterSuspect);
  const MonoTime died = now_;
  Notify(EventKind::kMasterSilent);
  while (election_.role() != Role::kMaster && now_ - died < Seconds(5)) {
    RunFor(Milliseconds(10));
    Notify(EventKind::kLanHeard);
    ASSERT_TRUE(election_.asking() || election_.role() == Role::kMaster);
  }
  EXPECT_GE(now_ - died, kWithoutGateway) << "a node that reaches it goes first";
  EXPECT_LE(now_ - died, kWithoutGateway + kCandidateListen * 3);
  EXPECT_TRUE(election_.gate_open());
  EXPECT_TRUE(election_.without_gateway());
  Notify(EventKind::kNeighbor);
  EXPECT_FALSE(election_.without_gateway()) << "it is back";
}

// What is cut off would come back with a term above all others.
TEST_F(FieldA8, ANodeThatHearsNobodyDoesNotLead) {
  input_.needs_gateway = true;
  input_.gateway_required = false;
  FollowAsDeputy();
  Notify(EventKind::kMasterSuspect);
  Notify(EventKind::kMasterSilent);
  RunFor(Seconds(10));
  EXPECT_EQ(election_.role(), Role::kCandidate);
}

TEST_F(FieldA8, AMasterWhoseDeputyEndsGoesOnWithoutTheGateway) {
  LeadWithDeputy();
  input_.needs_gateway = true;
  input_.gateway_required = false;
  Notify(EventKind::kLeaseLost);
  Notify(EventKind::kLeaseLapsed);
  EXPECT_EQ(election_.phase(), MasterPhase::kRejoining);
  Notify(EventKind::kAddressWanted);
  sent();
  RunFor(kWithoutGateway + kCandidateListen / 2);
  EXPECT_THAT(sent(), ::testing::Contains(What::kQuery)) << "once more before it claims";
  EXPECT_FALSE(election_.gate_open());
  RunFor(kCandidateListen);
  EXPECT_TRUE(election_.gate_open());
  EXPECT_TRUE(election_.without_gateway());
}

TEST_F(FieldA8, WhereItIsRequiredNobodyLeadsWithoutIt) {
  input_.needs_gateway = true;
  input_.gateway_required = true;
  FollowAsDeputy();
  Notify(EventKind::kMasterSuspect);
  Notify(EventKind::kMasterSilent);
  for (int i = 0; i < 500; ++i) {
    RunFor(Milliseconds(10));
    Notify(EventKind::kLanHeard);
  }
  EXPECT_EQ(election_.role(), Role::kCandidate);
}

using FieldE4 = ElectionTest;

// One host that answers for the address must not keep the election open.
TEST_F(FieldE4, AVetoCountsForABoundedTime) {
  input_.needs_gateway = true;
  FollowAsDeputy();
  Notify(EventKind::kMasterSuspect);
  const MonoTime died = now_;
  Notify(EventKind::kAddressUsed);
  Notify(EventKind::kNeighbor);
  Notify(EventKind::kMasterSilent);
  EXPECT_EQ(election_.role(), Role::kCandidate);
  while (election_.role() != Role::kMaster && now_ - died < Seconds(20)) {
    RunFor(Milliseconds(5));
    if (now_ - died < kVetoLife) {
      ASSERT_EQ(election_.role(), Role::kCandidate) << "a node may serve, and its messages be lost";
    }
    Notify(EventKind::kAddressUsed);
    Notify(EventKind::kNeighbor);
  }
  EXPECT_EQ(election_.role(), Role::kMaster);
  EXPECT_LE(now_ - died, kVetoLife + kCandidateListen * 2);
}

TEST_F(FieldE4, AWordOfAMasterMakesTheNextVetoCountAnew) {
  FollowAsDeputy();
  Notify(EventKind::kMasterSuspect);
  Notify(EventKind::kAddressUsed);
  RunFor(kVetoLife);
  Hear(kBetter, kBetter, TermOf(kBetter, 7), kSelf);  // it lives
  Notify(EventKind::kMasterSuspect);
  Notify(EventKind::kAddressUsed);
  Notify(EventKind::kMasterSilent);
  EXPECT_EQ(election_.role(), Role::kCandidate);
  EXPECT_FALSE(election_.gate_open());
}

TEST_F(ElectionTest, WithoutGatewayNoNodeClaims) {
  input_.needs_gateway = true;
  FollowAsDeputy();
  Notify(EventKind::kMasterSuspect);
  Notify(EventKind::kMasterSilent);
  EXPECT_EQ(election_.role(), Role::kCandidate);
  RunFor(Seconds(5));
  EXPECT_EQ(election_.role(), Role::kCandidate);
  Notify(EventKind::kNeighbor);
  RunFor(kCandidateListen);
  Notify(EventKind::kNeighbor);
  RunFor(kGatewayAskSlow);
  EXPECT_EQ(election_.role(), Role::kMaster);
}

TEST_F(ElectionTest, MasterWithoutAcknowledgementsGoesOnUnderANewTerm) {
  LeadWithDeputy();
  const uint64_t opening = election_.opening();
  Notify(EventKind::kLeaseLost);
  EXPECT_EQ(election_.phase(), MasterPhase::kLost);
  Notify(EventKind::kLeaseLapsed);
  EXPECT_EQ(election_.role(), Role::kMaster);
  EXPECT_EQ(election_.phase(), MasterPhase::kSolo);
  EXPECT_EQ(election_.term(), TermOf(kSelf, 2));
  EXPECT_GT(election_.opening(), opening);
}

TEST_F(ElectionTest, AfterAStallALapsedMasterAsksFirst) {
  LeadWithDeputy();
  Notify(EventKind::kStalled, 1);
  Notify(EventKind::kLeaseLost);
  Notify(EventKind::kLeaseLapsed);
  EXPECT_EQ(election_.phase(), MasterPhase::kRejoining);
  EXPECT_FALSE(election_.gate_open());
  RunFor(kCandidateListen);
  EXPECT_EQ(election_.phase(), MasterPhase::kSolo);
  EXPECT_EQ(election_.stalls_known(), 1);
}

// Its messages may be sealed with a key that came while this node was held.
TEST_F(ElectionTest, AfterAStallAFrameFromTheServiceMacIsAVeto) {
  LeadWithDeputy();
  Notify(EventKind::kStalled, 1);
  Notify(EventKind::kLeaseLost);
  Notify(EventKind::kLeaseLapsed);
  for (int i = 0; i < 20; ++i) {
    Notify(EventKind::kServiceMacSeen);
    RunFor(kCandidateListen / 2);
  }
  EXPECT_EQ(election_.phase(), MasterPhase::kRejoining);
  RunFor(kCandidateListen);
  EXPECT_EQ(election_.phase(), MasterPhase::kSolo);
}

TEST_F(ElectionTest, AfterAStallWhoLiesAboutTheServiceMacIsBelievedForAMoment) {
  LeadWithDeputy();
  Notify(EventKind::kStalled, 1);
  Notify(EventKind::kLeaseLost);
  Notify(EventKind::kLeaseLapsed);
  for (Duration lied; lied < kVetoLife + kCandidateListen * 2; lied = lied + kCandidateListen / 2) {
    Notify(EventKind::kServiceMacSeen);
    RunFor(kCandidateListen / 2);
  }
  EXPECT_EQ(election_.phase(), MasterPhase::kSolo);
}

TEST_F(ElectionTest, AMasterThatWasCutOffAsksAgainWhenTheGatewayIsBack) {
  LeadWithDeputy();
  input_.needs_gateway = true;
  Notify(EventKind::kLeaseLost);
  Notify(EventKind::kLeaseLapsed);
  EXPECT_EQ(election_.phase(), MasterPhase::kRejoining);
  RunFor(Seconds(5));
  sent();
  Notify(EventKind::kNeighbor);
  RunFor(Milliseconds(1));
  EXPECT_EQ(election_.phase(), MasterPhase::kRejoining) << "a node that took over did not hear the question";
  EXPECT_THAT(sent(), ::testing::Contains(What::kQuery));
  Hear(kBetter, kBetter, TermOf(kBetter, 2));
  EXPECT_EQ(election_.role(), Role::kMember);
}

TEST_F(ElectionTest, EventsOfAFormerTermMeanNothing) {
  LeadWithDeputy();
  election_.OnEvent(now_, input_, {.kind = EventKind::kLeaseLost, .term = TermOf(kSelf, 99)}, &out_);
  EXPECT_EQ(election_.phase(), MasterPhase::kLeased);
}

TEST_F(ElectionTest, MasterThatStoodStillAloneAsksFirst) {
  Lead();
  Notify(EventKind::kStalled, 1);
  EXPECT_FALSE(election_.gate_open());
  Hear(kBetter, kBetter, TermOf(kBetter, 2));
  EXPECT_EQ(election_.role(), Role::kMember);
}

TEST_F(ElectionTest, MembersStandInTheOrderOfTheirRank) {
  Hear(kWorse, kWorse, TermOf(kWorse, 1));
  Hear(kBetter, kWorse, TermOf(kWorse, 1));
  Gone(kWorse, MemberChange::Kind::kDown);
  RunFor(kElectFirst + kElectStep - Milliseconds(1));
  EXPECT_EQ(election_.role(), Role::kIdle) << "one ranks before us";
  RunFor(Milliseconds(1));
  EXPECT_EQ(election_.role(), Role::kCandidate);
}

TEST_F(ElectionTest, OfTwoCandidatesTheBetterGoesOn) {
  Hear(kBetter);
  election_.OnEra(now_, input_, true, &out_);
  wire::Message query;
  query.mutable_query()->set_nonce(1);
  Hear(kBetter, query);
  EXPECT_EQ(election_.role(), Role::kIdle);
}

TEST_F(ElectionTest, HandoverEndsWithAShutGateBeforeTheYield) {
  LeadWithDeputy();
  const Term term = election_.term();
  EXPECT_EQ(election_.HandOver(now_, input_, std::nullopt, &out_), "");
  EXPECT_EQ(election_.phase(), MasterPhase::kPreparing);
  EXPECT_THAT(sent(), ::testing::Contains(What::kPrepare));
  wire::Message prepared;
  WriteTerm(term, prepared.mutable_prepared()->mutable_term());
  Hear(kWorse, prepared);
  EXPECT_FALSE(election_.gate_open());
  EXPECT_TRUE(election_.handing_over());
  const std::vector<Outgoing> sayings = election_.TakeOutgoing();
  ASSERT_EQ(sayings.size(), 1);
  EXPECT_EQ(sayings[0].what, What::kYield);
  EXPECT_EQ(sayings[0].node, kWorse);
  EXPECT_EQ(sayings[0].term, term);
}

TEST_F(ElectionTest, AHandoverWaitsUntilTheDeputyKnowsOfAllFlows) {
  LeadWithDeputy();
  input_.informed.reset();
  EXPECT_EQ(election_.HandOver(now_, input_, std::nullopt, &out_), "");
  RunFor(Milliseconds(300));
  EXPECT_THAT(sent(), ::testing::Not(::testing::Contains(What::kPrepare)));
  input_.informed = kBetter;
  RunFor(Milliseconds(1));
  EXPECT_THAT(sent(), ::testing::Not(::testing::Contains(What::kPrepare))) << "that was another deputy";
  input_.informed = kWorse;
  RunFor(Milliseconds(1));
  EXPECT_THAT(sent(), ::testing::Contains(What::kPrepare));
}

TEST_F(ElectionTest, AHandoverDoesNotWaitForLong) {
  LeadWithDeputy();
  input_.informed.reset();
  EXPECT_EQ(election_.HandOver(now_, input_, std::nullopt, &out_), "");
  RunFor(kInformTimeout);
  EXPECT_EQ(election_.phase(), MasterPhase::kPreparing);
  EXPECT_THAT(sent(), ::testing::Contains(What::kPrepare));
  RunFor(kPrepareTimeout);
  EXPECT_EQ(election_.phase(), MasterPhase::kLeased) << "no answer: the handover has failed";
}

TEST_F(ElectionTest, AYieldIsTakenUpAtOnce) {
  FollowAsDeputy();
  wire::Message yield;
  WriteTerm(TermOf(kBetter, 7), yield.mutable_yield()->mutable_term());
  yield.mutable_yield()->set_successor(WriteId(kSelf));
  Hear(kWorse, yield);
  EXPECT_EQ(election_.role(), Role::kMember) << "not the master's to yield";
  Hear(kBetter, yield);
  EXPECT_EQ(election_.role(), Role::kMaster);
  EXPECT_EQ(election_.last_takeover()->cause, Cause::kHandover);
}

TEST_F(ElectionTest, AYieldThatIsNotTakenUpComesBack) {
  LeadWithDeputy();
  election_.HandOver(now_, input_, std::nullopt, &out_);
  wire::Message prepared;
  WriteTerm(election_.term(), prepared.mutable_prepared()->mutable_term());
  Hear(kWorse, prepared);
  EXPECT_FALSE(election_.gate_open());
  RunFor(kYieldTimeout + kCandidateListen);
  EXPECT_EQ(election_.role(), Role::kMaster);
}

TEST_F(ElectionTest, AnotherSuccessorThanTheDeputyIsBoundFirst) {
  LeadWithDeputy();
  Hear(kBetter, kSelf, election_.term());
  EXPECT_EQ(election_.HandOver(now_, input_, kBetter, &out_), "");
  EXPECT_EQ(election_.heartbeat_role(), HeartbeatRole::kOffer);
  EXPECT_EQ(election_.heartbeat_peer(), kWorse) << "released first";
  Notify(EventKind::kDeputyReady);
  EXPECT_EQ(election_.heartbeat_peer(), kBetter);
  EXPECT_EQ(election_.phase(), MasterPhase::kOffering);
}

TEST_F(ElectionTest, EpochsComeFromTheReservedOnly) {
  Election election(kSelf, {.era = kEra, .epoch = 65}, &members_);
  election.OnEra(now_, input_, true, &out_);
  election.Tick(now_ + kCandidateListen, input_, &out_);
  EXPECT_EQ(election.role(), Role::kCandidate) << "65 is not reserved yet";
  const std::optional<StoredEpochs> wanted = election.TakeReservation();
  ASSERT_TRUE(wanted);
  EXPECT_EQ(*wanted, (StoredEpochs{.era = kEra, .epoch = 65 + kEpochBlock}));
  election.OnEpochsStored(*wanted, true);
  election.Tick(now_ + kCandidateListen, input_, &out_);
  EXPECT_EQ(election.role(), Role::kMaster);
  EXPECT_EQ(election.term(), TermOf(kSelf, 65)) << "those below may have been used before the restart";
}

TEST_F(ElectionTest, AFullStoreDoesNotKeepTheAddressDown) {
  Election election(kSelf, {}, &members_);
  election.OnEra(now_, input_, true, &out_);
  election.Tick(now_ + kCandidateListen, input_, &out_);
  election.OnEpochsStored({}, false);
  election.Tick(now_ + kCandidateListen, input_, &out_);
  EXPECT_EQ(election.role(), Role::kMaster);
}

TEST_F(ElectionTest, RepeatedUnansweredRequestsMakeUsAskTheMaster) {
  FollowAsDeputy();
  Notify(EventKind::kAddressWanted);
  EXPECT_THAT(sent(), ::testing::IsEmpty());
  Notify(EventKind::kAddressWanted);
  EXPECT_THAT(sent(), ::testing::ElementsAre(What::kSuspect));
}

TEST_F(ElectionTest, InMaintenanceNoNodeLeadsAndAMasterHandsOver) {
  LeadWithDeputy();
  input_.eligible = false;
  RunFor(Milliseconds(1));
  EXPECT_THAT(sent(), ::testing::Contains(What::kPrepare));
}

TEST_F(ElectionTest, AMasterWhoseMaintenanceIsOverInTimeGoesOnLeading) {
  LeadWithDeputy();
  input_.informed.reset();  // the deputy is waited for
  input_.eligible = false;
  RunFor(Milliseconds(1));
  input_.eligible = true;
  RunFor(Seconds(3));
  EXPECT_THAT(sent(), ::testing::Not(::testing::Contains(What::kPrepare)));
  EXPECT_EQ(election_.role(), Role::kMaster);
}

TEST_F(ElectionTest, PriorityPreemptsOnlyIfToldTo) {
  LeadWithDeputy();
  RunFor(Seconds(1));
  EXPECT_THAT(sent(), ::testing::Not(::testing::Contains(What::kPrepare)));
  input_.rank.priority = -1;
  RunFor(Seconds(1));
  EXPECT_THAT(sent(), ::testing::Not(::testing::Contains(What::kPrepare)));
  input_.preempt = true;
  RunFor(Milliseconds(1));
  EXPECT_THAT(sent(), ::testing::Contains(What::kPrepare));
}

}  // namespace
}  // namespace qure::test
