// The keys and signatures of an adoption, one by one.
#include "control/core/admission/handshake.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/core/admission/codes.h"
#include "tests/unit/admission/adoption.h"

namespace qure::admission::test {
namespace {

using Bytes = std::vector<uint8_t>;

class HandshakeTest : public ::testing::Test {
 protected:
  HandshakeTest() {
    candidate_.ephemeral = ours_.public_key;
    SignMessage(KeyOf(7), &candidate_);
    offer_.h1 = TranscriptOf(candidate_);
    offer_.ephemeral = theirs_.public_key;
    SignMessage(KeyOf(1), &offer_);
    accept_.h2 = TranscriptOf(offer_);
    SignMessage(KeyOf(7), &accept_);
  }

  const DrawSecret draw_ = DrawFrom(std::make_shared<std::minstd_rand>(1));
  const Ephemeral ours_ = DrawEphemeral(draw_);
  const Ephemeral theirs_ = DrawEphemeral(draw_);
  CandidateMessage candidate_{.identity = Identity(7), .mac = MacOf(7), .name = "n7"};
  OfferMessage offer_{.identity = Identity(1), .mac = MacOf(1), .proof_size = 1, .name = "home"};
  AcceptMessage accept_;
};

TEST_F(HandshakeTest, SignaturesHoldForTheirSignersAlone) {
  EXPECT_TRUE(VerifyMessage(candidate_));
  EXPECT_TRUE(VerifyMessage(offer_));
  EXPECT_TRUE(VerifyMessage(accept_, Identity(7)));
  EXPECT_FALSE(VerifyMessage(accept_, Identity(8)));
  CandidateMessage other = candidate_;
  other.identity = Identity(8);
  EXPECT_FALSE(VerifyMessage(other));
}

TEST_F(HandshakeTest, TheCookieAloneIsNotSigned) {
  CandidateMessage changed = candidate_;
  changed.cookie = {1};
  EXPECT_TRUE(VerifyMessage(changed));
  EXPECT_EQ(TranscriptOf(changed), TranscriptOf(candidate_));

  const std::vector<std::function<void(CandidateMessage*)>> changes = {
      [](CandidateMessage* each) { each->node[0] ^= 1; },      [](CandidateMessage* each) { each->boot[0] ^= 1; },
      [](CandidateMessage* each) { each->ephemeral[0] ^= 1; }, [](CandidateMessage* each) { each->want[0] ^= 1; },
      [](CandidateMessage* each) { each->token[0] ^= 1; },     [](CandidateMessage* each) { each->mac = MacOf(8); },
      [](CandidateMessage* each) { ++each->most_protocol; },   [](CandidateMessage* each) { each->revision = "x"; },
      [](CandidateMessage* each) { each->name = "x"; },        [](CandidateMessage* each) { each->renew.emplace(); },
  };
  for (const auto& change : changes) {
    changed = candidate_;
    change(&changed);
    EXPECT_FALSE(VerifyMessage(changed));
    EXPECT_NE(TranscriptOf(changed), TranscriptOf(candidate_));
  }
}

TEST_F(HandshakeTest, AnOfferIsForOneCandidateAlone) {
  OfferMessage changed = offer_;
  changed.h1[0] ^= 1;
  EXPECT_FALSE(VerifyMessage(changed));
  changed = offer_;
  changed.proof[0] ^= 1;
  EXPECT_FALSE(VerifyMessage(changed)) << "the proof is part of it";
  changed = offer_;
  changed.cluster[0] ^= 1;
  EXPECT_FALSE(VerifyMessage(changed));
}

TEST_F(HandshakeTest, ACopyIsSignedByWhatItWasCopiedFrom) {
  candidate_.copy = CopyOf{.identity = Identity(3), .signature = SignCopy(KeyOf(3), Identity(7))};
  SignMessage(KeyOf(7), &candidate_);
  EXPECT_TRUE(VerifyMessage(candidate_));
  candidate_.copy->signature = SignCopy(KeyOf(3), Identity(8));
  SignMessage(KeyOf(7), &candidate_);
  EXPECT_FALSE(VerifyMessage(candidate_));
}

TEST_F(HandshakeTest, ATokenSignsOneOffer) {
  const Token token{.cluster = {1}, .id = {2}, .secret = {3}};
  const SigningKey key = SigningKeyOf(TokenSeed(token, {1}));
  accept_.token = SignByToken(key, accept_.h2);
  EXPECT_TRUE(VerifyByToken(key.public_key, accept_));
  accept_.h2[0] ^= 1;
  EXPECT_FALSE(VerifyByToken(key.public_key, accept_)) << "of another candidate or offer";
}

TEST_F(HandshakeTest, BothSidesAgreeIfTheySawTheSame) {
  const Digest h3 = TranscriptOf(accept_);
  const auto candidate_keys = HandshakeKeys::Agree(ours_, theirs_.public_key, h3);
  const auto cluster_keys = HandshakeKeys::Agree(theirs_, ours_.public_key, h3);
  ASSERT_TRUE(candidate_keys && cluster_keys);
  const Bytes plain = {1, 2, 3};
  EXPECT_EQ(candidate_keys->Open(cluster_keys->SealRecords(4, plain)), plain);
  EXPECT_EQ(candidate_keys->Open(cluster_keys->SealWelcome(plain)), plain);
  EXPECT_TRUE(cluster_keys->Verify(candidate_keys->MakeReceipt(ReceiptOf::kRecords, 3)));

  Digest other = h3;
  other.back() ^= 1;  // not in the mark
  const auto other_keys = HandshakeKeys::Agree(ours_, theirs_.public_key, other);
  EXPECT_FALSE(other_keys->Open(cluster_keys->SealRecords(4, plain)));
  EXPECT_FALSE(cluster_keys->Verify(other_keys->MakeReceipt(ReceiptOf::kRecords, 3)));
}

TEST_F(HandshakeTest, WhatIsChangedDoesNotOpen) {
  const auto keys = HandshakeKeys::Agree(ours_, theirs_.public_key, TranscriptOf(accept_));
  const RecordsMessage good = keys->SealRecords(4, Bytes{1, 2, 3});
  RecordsMessage bad = good;
  bad.counter = 5;
  EXPECT_FALSE(keys->Open(bad));
  bad = good;
  bad.sealed[1] ^= 1;
  EXPECT_FALSE(keys->Open(bad));
  bad = good;
  bad.h3[0] ^= 1;
  EXPECT_FALSE(keys->Open(bad));
  bad.sealed.resize(kSealTag - 1);
  EXPECT_FALSE(keys->Open(bad));
  EXPECT_FALSE(keys->Open(WelcomeMessage{.h3 = good.h3, .counter = 4, .sealed = good.sealed})) << "of another type";

  const ReceiptMessage receipt = keys->MakeReceipt(ReceiptOf::kRecords, 0);
  ReceiptMessage changed = receipt;
  changed.what = ReceiptOf::kKeys;
  EXPECT_FALSE(keys->Verify(changed));
  changed = receipt;
  changed.counter = 1;
  EXPECT_FALSE(keys->Verify(changed));
}

TEST_F(HandshakeTest, AKeyThatContributesNothingIsRefused) {
  EXPECT_FALSE(HandshakeKeys::Agree(ours_, X25519Key{}, {}));
  EXPECT_FALSE(HandshakeKeys::Agree(ours_, X25519Key{1}, {})) << "of small order";
}

}  // namespace
}  // namespace qure::admission::test
