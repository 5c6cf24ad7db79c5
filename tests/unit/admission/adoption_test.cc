// Adoption from both sides: candidates and clusters on one wire that loses, repeats and forges.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "control/core/admission/codes.h"
#include "control/core/admission/refusal.h"
#include "tests/unit/admission/adoption.h"

namespace qure::admission::test {
namespace {

constexpr Duration kAdoptionTime = Seconds(3);

// A member that asks for keys anew. `heard`: by the keys that it has.
auto Renewing(const RecordSet& known, const std::set<PublicKey>& heard = {}) {
  return [known, heard](CandidateConfig* config) {
    config->known = known;
    config->renews = true;
    config->want = known.cluster();
    config->heard = heard;
  };
}

class AdoptionTest : public ::testing::Test {
 protected:
  void ExpectKeyed(const Newcomer& newcomer, const Member& by) {
    ASSERT_TRUE(newcomer.keyed());
    ASSERT_TRUE(newcomer.membership);
    EXPECT_EQ(newcomer.membership->cluster, by.records.cluster());
    EXPECT_EQ(ViewOf(newcomer.membership->records), by.view);
    ASSERT_FALSE(newcomer.membership->grants.empty());
    EXPECT_EQ(newcomer.membership->grants.front().key, by.keys.seals()->key);
    EXPECT_EQ(newcomer.membership->lineage, 77u);
  }
  bool RunUntilKeyed(const Newcomer& newcomer, Duration longest = kAdoptionTime) {
    return wire_.RunUntil([&] { return newcomer.keyed(); }, longest);
  }

  Wire wire_;
};

TEST_F(AdoptionTest, AdmittedByCode) {
  Member founder(&wire_, 1, SetOf({}));
  Newcomer newcomer(&wire_, 7);
  wire_.RunFor(Seconds(5));
  ASSERT_EQ(founder.admitter.listed().all().size(), 1u);
  EXPECT_EQ(founder.admitter.listed().all().begin()->second.name, "n7");
  EXPECT_EQ(wire_.Count(MessageType::kOffer, founder.mac), 0u);

  const std::vector<ListedCandidate> named = founder.Expect(7);
  ASSERT_EQ(named.size(), 1u);
  ASSERT_TRUE(RunUntilKeyed(newcomer, Seconds(1))) << "CLUSTER prompts it";
  ExpectKeyed(newcomer, founder);
  ASSERT_EQ(founder.admitted.size(), 1u);
  const Admit& admit = *founder.admitted[0].record.As<Admit>();
  EXPECT_EQ(admit.subject, ListedOf(7));
  EXPECT_EQ(admit.name, "n7");
  EXPECT_EQ(founder.admitted[0].expected, DigitsOf(FingerprintOf(Identity(7))).substr(0, kCodeDigits));
  wire_.RunFor(Milliseconds(10));
  EXPECT_EQ(founder.adopted, std::vector{Identity(7)});
  EXPECT_EQ(founder.admitter.handshakes(), 0u);
  EXPECT_TRUE(founder.admitter.listed().all().empty());
}

TEST_F(AdoptionTest, ExpectedBeforeItIsSeen) {
  Member founder(&wire_, 1, SetOf({}));
  EXPECT_TRUE(founder.Expect(7).empty());
  wire_.RunFor(Seconds(60));
  Newcomer newcomer(&wire_, 7);
  ASSERT_TRUE(RunUntilKeyed(newcomer));
  ExpectKeyed(newcomer, founder);
}

TEST_F(AdoptionTest, AnExpectationEnds) {
  Member founder(&wire_, 1, SetOf({}));
  founder.Expect(7, Seconds(10));
  wire_.RunFor(Seconds(10));
  Newcomer newcomer(&wire_, 7);
  EXPECT_FALSE(RunUntilKeyed(newcomer, Seconds(10)));
  EXPECT_EQ(wire_.Count(MessageType::kOffer, founder.mac), 0u);
}

class TokenTest : public AdoptionTest {
 protected:
  Token TokenFor(Member* member, uint32_t uses) {
    Token token{.id = {3}, .secret = {4}};
    std::copy_n(member->records.cluster().begin(), token.cluster.size(), token.cluster.begin());
    Invite(member, token, uses);
    return token;
  }
  void Invite(Member* member, const Token& token, uint32_t uses) {
    const SigningKey key = SigningKeyOf(TokenSeed(token, member->records.cluster()));
    member->admitter.invitations().SetTokens(
        {{.id = token.id, .key = key.public_key, .uses = uses, .until = wire_.now + Seconds(3600)}});
  }
};

TEST_F(TokenTest, IsEnough) {
  Member founder(&wire_, 1, SetOf({}));
  const Token token = TokenFor(&founder, 1);
  Newcomer newcomer(&wire_, 7, [&](CandidateConfig* config) { config->token = token; });
  ASSERT_TRUE(RunUntilKeyed(newcomer));
  ExpectKeyed(newcomer, founder);
  EXPECT_EQ(founder.admitted[0].record.As<Admit>()->token, token.id);
  EXPECT_EQ(founder.admitted[0].reason, AdmitReason::kToken);

  Newcomer second(&wire_, 8, [&](CandidateConfig* config) { config->token = token; });
  EXPECT_FALSE(RunUntilKeyed(second, Seconds(10))) << "it has one use";
}

TEST_F(TokenTest, ItsIdAloneIsNotEnough) {
  Member founder(&wire_, 1, SetOf({}));
  Token token = TokenFor(&founder, 1);
  token.secret[0] ^= 1;
  Newcomer thief(&wire_, 8, [&](CandidateConfig* config) { config->token = token; });
  EXPECT_FALSE(RunUntilKeyed(thief, Seconds(10)));
  EXPECT_GT(wire_.Count(MessageType::kAccept, thief.mac), 0u);
  EXPECT_TRUE(founder.admitted.empty());
}

TEST_F(TokenTest, AnotherClusterCannotCaptureWhoHoldsIt) {
  Member founder(&wire_, 1, SetOf({}));
  Member other(&wire_, 2, RecordSet(GenesisOf(2, 8)));
  const Token token = TokenFor(&founder, 1);
  Invite(&other, token, 1);
  other.Expect(7);
  founder.down = true;
  Newcomer newcomer(&wire_, 7, [&](CandidateConfig* config) { config->token = token; });
  EXPECT_FALSE(RunUntilKeyed(newcomer, Seconds(10)));
  EXPECT_GT(wire_.Count(MessageType::kOffer, other.mac), 0u);
  EXPECT_EQ(wire_.Count(MessageType::kAccept, newcomer.mac), 0u);
  founder.down = false;
  ASSERT_TRUE(RunUntilKeyed(newcomer));
  ExpectKeyed(newcomer, founder);
}

TEST_F(AdoptionTest, OfTwoClustersTheWantedOneIsTaken) {
  Member first(&wire_, 1, SetOf({}));
  Member second(&wire_, 2, RecordSet(GenesisOf(2, 8)));
  first.Expect(7);
  second.Expect(7);
  Newcomer newcomer(&wire_, 7, [&](CandidateConfig* config) { config->want = second.records.cluster(); });
  ASSERT_TRUE(RunUntilKeyed(newcomer));
  ExpectKeyed(newcomer, second);
  EXPECT_EQ(wire_.Count(MessageType::kOffer, first.mac), 0u) << "it wants another";
}

// One that offers to all that it hears, whatever they want.
class Deaf : public Member {
 public:
  using Member::Member;
  void Hear(MonoTime now, const MacAddress& from, ConstBytes payload) override {
    const auto read = ReadMessage(payload);
    const auto* message = std::get_if<AdmissionMessage>(&read);
    const auto* candidate = message == nullptr ? nullptr : std::get_if<CandidateMessage>(message);
    if (candidate == nullptr) {
      Member::Hear(now, from, payload);
      return;
    }
    OfferMessage offer = OfferTo(TranscriptOf(*candidate));
    SignMessage(KeyOf(number), &offer);
    wire_->Send(mac, candidate->mac, WriteMessage(offer));
    for (const ProofMessage& part : PartsOf(proof, TranscriptOf(offer)))
      wire_->Send(mac, candidate->mac, WriteMessage(part));
  }
  OfferMessage OfferTo(const Digest& h1) const {
    return {.h1 = h1,
            .cluster_id = records.genesis().As<Genesis>()->cluster,
            .cluster = records.cluster(),
            .identity = Identity(number),
            .ephemeral = DrawEphemeral(DrawFrom(std::make_shared<std::minstd_rand>(5))).public_key,
            .mac = mac,
            .proof_size = static_cast<uint32_t>(proof.size()),
            .proof = ProofDigest(proof),
            .name = "trap"};
  }

  std::vector<uint8_t> proof;
};

TEST_F(AdoptionTest, AnOfferOfAnUnwantedClusterIsNotAccepted) {
  Deaf trap(&wire_, 2, RecordSet(GenesisOf(2, 8)));
  trap.proof = *ProofFor(trap.records, trap.view, Identity(2));
  Newcomer newcomer(&wire_, 7, [&](CandidateConfig* config) { config->want = SetOf({}).cluster(); });
  wire_.RunFor(Seconds(10));
  EXPECT_GT(wire_.Count(MessageType::kOffer, trap.mac), 0u);
  EXPECT_EQ(wire_.Count(MessageType::kAccept, newcomer.mac), 0u);
  EXPECT_EQ(newcomer.candidate->checks(), 0u) << "not even looked at";
}

TEST_F(AdoptionTest, AProofThatIsForgedIsNotAccepted) {
  Deaf trap(&wire_, 2, SetOf({}));  // of the true cluster, but no member
  const std::vector<std::vector<Record>> proofs = {
      {GenesisRecord()},
      {GenesisRecord(), AdmitRecord(2, 2)},
      {GenesisRecord(), AdmitRecord(3, 2)},
      {GenesisOf(2, 8)},  // another cluster than the offer says
  };
  for (const std::vector<Record>& records : proofs) {
    trap.proof.clear();
    for (const Record& record : records) AppendRecord(record, &trap.proof);
    Newcomer newcomer(&wire_, 7);
    wire_.RunFor(Seconds(2));
    EXPECT_EQ(wire_.Count(MessageType::kAccept, newcomer.mac), 0u);
    EXPECT_FALSE(newcomer.logs.empty());
    newcomer.down = true;
  }
}

TEST_F(AdoptionTest, TwoClustersThatOfferAreAmbiguous) {
  Member first(&wire_, 1, SetOf({}));
  Member second(&wire_, 2, RecordSet(GenesisOf(2, 8)));
  first.Expect(7);
  second.Expect(7);
  Newcomer newcomer(&wire_, 7);
  ASSERT_TRUE(wire_.RunUntil([&] { return !newcomer.ambiguous.empty(); }, Seconds(2)));
  EXPECT_EQ(newcomer.candidate->state(), CandidateState::kAmbiguous);
  EXPECT_EQ(newcomer.ambiguous[0].clusters.size(), 2u);
  EXPECT_EQ(wire_.Count(MessageType::kAccept, newcomer.mac), 0u);
  wire_.RunFor(Seconds(30));
  EXPECT_FALSE(newcomer.keyed());
  EXPECT_GT(newcomer.ambiguous.size(), 1u) << "it goes on to ask";

  newcomer.candidate->Join(wire_.now, second.records.cluster());
  ASSERT_TRUE(RunUntilKeyed(newcomer));
  ExpectKeyed(newcomer, second);
}

TEST_F(AdoptionTest, OfTwoClustersTheOneThatNamedItIsTaken) {
  Member first(&wire_, 1, SetOf({}));
  Member second(&wire_, 2, RecordSet(GenesisOf(2, 8)));
  first.admitter.invitations().SetAuto(AutoAdmit::kAll);
  second.Expect(7);
  Newcomer newcomer(&wire_, 7);
  ASSERT_TRUE(RunUntilKeyed(newcomer));
  ExpectKeyed(newcomer, second);
  EXPECT_TRUE(first.admitted.empty());
}

// --- What must be durable first

TEST_F(AdoptionTest, NothingIsGivenBeforeTheAdmissionIsDurable) {
  Member founder(&wire_, 1, SetOf({}));
  founder.store_is_slow = true;
  founder.Expect(7);
  Newcomer newcomer(&wire_, 7);
  ASSERT_TRUE(wire_.RunUntil([&] { return !founder.waiting.empty(); }, Seconds(2)));
  wire_.RunFor(Seconds(2));
  EXPECT_EQ(founder.waiting.size(), 1u) << "one admission of one identity at a time";
  EXPECT_EQ(wire_.Count(MessageType::kRecords, founder.mac), 0u);
  EXPECT_EQ(wire_.Count(MessageType::kWelcome, founder.mac), 0u);
  founder.store_is_slow = false;
  founder.Persist();
  ASSERT_TRUE(RunUntilKeyed(newcomer, Seconds(5)));
  ExpectKeyed(newcomer, founder);
}

TEST_F(AdoptionTest, AnAdmissionWithoutEffectGivesNothing) {
  Member founder(&wire_, 1, SetOf({}));
  founder.store_is_slow = true;
  founder.Expect(7);
  Newcomer newcomer(&wire_, 7);
  ASSERT_TRUE(wire_.RunUntil([&] { return !founder.waiting.empty(); }, Seconds(2)));
  founder.records.Add(RosterRecord(1, {1}));
  founder.Persist();
  wire_.RunFor(Milliseconds(500));
  EXPECT_EQ(wire_.Count(MessageType::kRecords, founder.mac), 0u);
}

TEST_F(AdoptionTest, ItIsNotSaidToBeDoneBeforeTheKeysAreDurable) {
  Member founder(&wire_, 1, SetOf({}));
  founder.Expect(7);
  Newcomer newcomer(&wire_, 7);
  newcomer.store_is_slow = true;
  wire_.RunFor(Seconds(3));
  EXPECT_GT(wire_.Count(MessageType::kWelcome, founder.mac), 1u) << "repeated";
  for (const Sent& sent : wire_.sent) {
    const auto receipt = sent.As<ReceiptMessage>();
    EXPECT_FALSE(receipt && receipt->what == ReceiptOf::kKeys);
  }
  EXPECT_TRUE(founder.adopted.empty());
}

// --- Losses

class LossTest : public AdoptionTest, public ::testing::WithParamInterface<MessageType> {};

TEST_P(LossTest, EachMessageMayBeLostOnce) {
  Member founder(&wire_, 1, SetOf({AdmitRecord(1, 2), AdmitRecord(1, 3)}));
  founder.Expect(7);
  int lost = 0;
  wire_.lose = [&](const Sent& sent) { return sent.type() == GetParam() && lost++ == 0; };
  Newcomer newcomer(&wire_, 7);
  ASSERT_TRUE(RunUntilKeyed(newcomer));
  EXPECT_GT(lost, 0);
  ExpectKeyed(newcomer, founder);
  ASSERT_TRUE(wire_.RunUntil([&] { return !founder.adopted.empty(); }, Seconds(1)));
}
INSTANTIATE_TEST_SUITE_P(Types, LossTest,
                         ::testing::Values(MessageType::kCandidate, MessageType::kOffer, MessageType::kProof,
                                           MessageType::kAccept, MessageType::kRecords, MessageType::kWelcome,
                                           MessageType::kReceipt));

TEST_F(AdoptionTest, ALossyWireOnlyDelays) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    Wire wire;
    std::minstd_rand random(seed + 1);
    wire.lose = [&](const Sent&) { return random() % 100 < 30; };
    RecordSet set = SetOf({});
    for (uint8_t i = 10; i < 60; ++i) set.Add(AdmitRecord(1, i));
    Member founder(&wire, 1, set);
    founder.Expect(7);
    Newcomer newcomer(&wire, 7);
    EXPECT_TRUE(wire.RunUntil([&] { return newcomer.keyed(); }, Seconds(40))) << seed;
    EXPECT_EQ(founder.admitted.size(), 1u) << "again, it is a member";
    ASSERT_TRUE(newcomer.membership);
    EXPECT_EQ(ViewOf(newcomer.membership->records), founder.view);
  }
}

TEST_F(AdoptionTest, TheMemberDiesAndAnotherGoesOn) {
  Member founder(&wire_, 1, SetOf({AdmitRecord(1, 2)}));
  Member deputy(&wire_, 2, SetOf({AdmitRecord(1, 2)}), 1);
  deputy.keys.Take(*founder.keys.seals());
  for (Member* each : {&founder, &deputy}) each->Expect(7);
  Newcomer newcomer(&wire_, 7);
  ASSERT_TRUE(wire_.RunUntil([&] { return wire_.Count(MessageType::kAccept, newcomer.mac) > 0; }, Seconds(2)));
  founder.down = true;
  ASSERT_TRUE(RunUntilKeyed(newcomer, Seconds(8)));
  ExpectKeyed(newcomer, deputy);
}

TEST_F(AdoptionTest, TheDeputyLeavesItToTheMaster) {
  Member founder(&wire_, 1, SetOf({AdmitRecord(1, 2)}));
  Member deputy(&wire_, 2, SetOf({AdmitRecord(1, 2)}), 1);
  for (Member* each : {&founder, &deputy}) each->Expect(7);
  Newcomer newcomer(&wire_, 7);
  ASSERT_TRUE(RunUntilKeyed(newcomer));
  EXPECT_EQ(wire_.Count(MessageType::kOffer, deputy.mac), 0u);
}

TEST_F(AdoptionTest, ANodeThatLostItsKeysAsksAgain) {
  RecordSet set = SetOf({AdmitRecord(1, 7)});
  Member founder(&wire_, 1, set);
  Newcomer newcomer(&wire_, 7);
  ASSERT_TRUE(RunUntilKeyed(newcomer));
  ExpectKeyed(newcomer, founder);
  EXPECT_TRUE(founder.admitted.empty()) << "it is a member";
}

// --- Renewal

TEST_F(AdoptionTest, AMemberRenewsItsKeys) {
  const RecordSet known = SetOf({AdmitRecord(1, 7)});
  RecordSet more = known;
  more.Add(AdmitRecord(1, 8));
  Member founder(&wire_, 1, more);
  Newcomer member(&wire_, 7, Renewing(known));
  ASSERT_TRUE(RunUntilKeyed(member));
  ExpectKeyed(member, founder);
}

// The recovery code was used in two partitions: neither side has a key that counts where both rosters are known.
TEST_F(AdoptionTest, AMemberLearnsARosterFromANodeWithoutAKeyForBoth) {
  RecordSet here = SetOf({AdmitRecord(1, 2), AdmitRecord(1, 7)});
  RecordSet there = here;
  const Record theirs = RosterRecord(1, {1, 2, 7});
  here.Add(RosterRecord(1, {1, 7}));
  there.Add(theirs);
  Member founder(&wire_, 1, there);
  Newcomer member(&wire_, 7, Renewing(here));
  ASSERT_TRUE(wire_.RunUntil([&] { return !member.learned.empty(); }, Seconds(3)));
  EXPECT_TRUE(member.learned[0].records.rosters().contains(theirs.id()));
  EXPECT_TRUE(ViewOf(member.learned[0].records).members.contains(Identity(1)));
  EXPECT_FALSE(ViewOf(member.learned[0].records).members.contains(Identity(2)));
  EXPECT_FALSE(member.keyed());
}

// Who hears others under the key that it has asks those that it does not hear, though they answer later.
TEST_F(AdoptionTest, AMemberRatherAsksWhomItDoesNotHear) {
  const RecordSet known = SetOf({AdmitRecord(1, 2), AdmitRecord(1, 7)});
  Member heard(&wire_, 1, known);
  Member other(&wire_, 2, known);
  Newcomer member(&wire_, 7, Renewing(known, {Identity(1)}));
  ASSERT_TRUE(RunUntilKeyed(member));
  EXPECT_EQ(wire_.Count(MessageType::kWelcome, heard.mac), 0u);
  ExpectKeyed(member, other);
}

TEST_F(AdoptionTest, WhoHearsAllMembersAsksOneOfThem) {
  const RecordSet known = SetOf({AdmitRecord(1, 7)});
  Member heard(&wire_, 1, known);
  Newcomer member(&wire_, 7, Renewing(known, {Identity(1)}));
  ASSERT_TRUE(RunUntilKeyed(member));
  ExpectKeyed(member, heard);
}

TEST_F(AdoptionTest, ItsOwnAdmissionIsShownToAMemberThatDoesNotHaveIt) {
  const RecordSet known = SetOf({AdmitRecord(1, 2), AdmitRecord(2, 7)});
  Member founder(&wire_, 1, SetOf({AdmitRecord(1, 2)}));
  Newcomer member(&wire_, 7, Renewing(known));
  ASSERT_TRUE(RunUntilKeyed(member));
  EXPECT_EQ(founder.learned.size(), 1u);
  ExpectKeyed(member, founder);
}

TEST_F(AdoptionTest, AnAdmissionByAStrangerIsNotLearned) {
  const RecordSet known = SetOf({AdmitRecord(1, 3), AdmitRecord(3, 7)});
  Member founder(&wire_, 1, SetOf({AdmitRecord(1, 2)}));  // knows of no 3
  Newcomer member(&wire_, 7, Renewing(known));
  wire_.RunFor(Seconds(5));
  EXPECT_TRUE(founder.learned.empty());
  EXPECT_FALSE(member.keyed());
}

TEST_F(AdoptionTest, WhoWasExpelledIsShownTheRoster) {
  const RecordSet known = SetOf({AdmitRecord(1, 7)});
  RecordSet newer = known;
  newer.Add(RosterRecord(1, {1}));
  Member founder(&wire_, 1, newer);
  Newcomer member(&wire_, 7, Renewing(known));
  ASSERT_TRUE(wire_.RunUntil([&] { return !member.refused.empty(); }, Seconds(3)));
  EXPECT_EQ(member.refused[0].why, RefusedWhy::kNotInRoster);
  ASSERT_TRUE(member.refused[0].record);
  EXPECT_EQ(member.refused[0].record->As<Roster>()->generation, 1u);
  EXPECT_EQ(founder.admitter.listed().all().at(Identity(7)).state, ListedState::kExpelled);

  founder.Expect(7);
  Newcomer again(&wire_, 7);
  member.down = true;
  ASSERT_TRUE(RunUntilKeyed(again)) << "an operator may admit it again";
  ExpectKeyed(again, founder);
}

// It does not know that who took it in was expelled, and the cluster does not know it.
TEST_F(AdoptionTest, WhoWasTakenInByARevokedNodeIsShownTheRoster) {
  const RecordSet before = SetOf({AdmitRecord(1, 2)});
  Member founder(&wire_, 1, SetOf({AdmitRecord(1, 2), RosterRecord(1, {1})}));
  const auto taken_in = [&before](uint8_t by, uint8_t number) {
    RecordSet known = before;
    known.Add(AdmitRecord(1, by));
    known.Add(AdmitRecord(by, number));
    return Renewing(known);
  };
  Newcomer captured(&wire_, 7, taken_in(2, 7));
  ASSERT_TRUE(wire_.RunUntil([&] { return !captured.refused.empty(); }, Seconds(3)));
  EXPECT_EQ(captured.refused[0].why, RefusedWhy::kNotInRoster);
  EXPECT_TRUE(captured.refused[0].record);
  captured.down = true;

  Newcomer stranger(&wire_, 8, taken_in(3, 8));
  wire_.RunFor(Seconds(5));
  EXPECT_TRUE(stranger.refused.empty()) << "nobody here has heard of who admitted it";
}

TEST_F(AdoptionTest, ARosterThatListsItExpelsNobody) {
  const RecordSet known = SetOf({AdmitRecord(1, 7), RosterRecord(2, {1, 7})});
  const Record without = RosterRecord(3, {1});
  EXPECT_TRUE(Expels(without, known, Identity(7)));
  EXPECT_FALSE(Expels(RosterRecord(3, {1, 7}), known, Identity(7)));
  EXPECT_FALSE(Expels(RosterRecord(1, {1}), known, Identity(7))) << "an older one";
  EXPECT_FALSE(Expels(GenesisOf(2, 8), known, Identity(7)));
}

TEST_F(AdoptionTest, ARefusalWithoutItsRosterIsNotBelieved) {
  const RecordSet known = SetOf({AdmitRecord(1, 7)});
  Newcomer member(&wire_, 7, Renewing(known));
  ASSERT_TRUE(wire_.RunUntil([&] { return !wire_.sent.empty(); }, Seconds(2)));
  const Digest h1 = TranscriptOf(*wire_.sent.back().As<CandidateMessage>());
  const Record by_member = Record::Sign(*RosterRecord(1, {1}).As<Roster>(), KeyOf(3));
  for (const RefusedMessage& part : MakeRefusal(KeyOf(3), h1, RefusedWhy::kNotInRoster, &by_member)) {
    wire_.Send(MacOf(3), member.mac, WriteMessage(part));
  }
  wire_.RunFor(Milliseconds(10));
  EXPECT_TRUE(member.refused.empty());
}

TEST_F(AdoptionTest, WhoLeftIsNotAdmittedUnderTheSameIdentity) {
  Member founder(&wire_, 1, SetOf({AdmitRecord(1, 7), LeaveRecord(7)}));
  founder.Expect(7);
  Newcomer newcomer(&wire_, 7);
  EXPECT_FALSE(RunUntilKeyed(newcomer, Seconds(5)));
  EXPECT_TRUE(founder.admitted.empty());
}

TEST_F(AdoptionTest, AFullClusterAdmitsNobody) {
  RecordSet set = SetOf({});
  for (uint8_t i = 10; i < 10 + kMaxMembers - 1; ++i) set.Add(AdmitRecord(1, i));
  Member founder(&wire_, 1, set);
  founder.Expect(7);
  Newcomer newcomer(&wire_, 7);
  EXPECT_FALSE(RunUntilKeyed(newcomer, Seconds(5)));
  EXPECT_TRUE(founder.admitted.empty());
  ASSERT_FALSE(newcomer.refused.empty());
  EXPECT_EQ(newcomer.refused[0].why, RefusedWhy::kFull);
}

TEST_F(AdoptionTest, ACopyIsAdmittedByItself) {
  Member founder(&wire_, 1, SetOf({AdmitRecord(1, 2)}));
  founder.admitter.invitations().SetAuto(AutoAdmit::kCopies);
  Newcomer copy(&wire_, 7, [&](CandidateConfig* config) {
    config->copy = CopyOf{.identity = Identity(2), .signature = SignCopy(KeyOf(2), Identity(7))};
  });
  ASSERT_TRUE(RunUntilKeyed(copy));
  EXPECT_TRUE(founder.admitted[0].record.As<Admit>()->copy);
}

TEST_F(AdoptionTest, EphemeralKeysAreRenewed) {
  Newcomer newcomer(&wire_, 7);
  wire_.RunFor(Seconds(130));
  std::map<X25519Key, MonoTime> first;
  for (const Sent& sent : wire_.sent) first.emplace(sent.As<CandidateMessage>()->ephemeral, sent.at);
  EXPECT_EQ(first.size(), 3u);
}

TEST_F(AdoptionTest, ManyCandidatesTakeTurns) {
  std::vector<std::unique_ptr<Newcomer>> all;
  for (uint8_t i = 10; i < 110; ++i) all.push_back(std::make_unique<Newcomer>(&wire_, i));
  wire_.RunFor(Seconds(5));
  const size_t before = wire_.sent.size();
  wire_.RunFor(Seconds(10));
  EXPECT_LE(wire_.sent.size() - before, 100u * 7) << "2 s ± 20 % instead of 1 s";
  EXPECT_GE(wire_.sent.size() - before, 100u * 4);
}

}  // namespace
}  // namespace qure::admission::test
