// Adoption on a LAN with somebody who sees all, sends under any MAC, and repeats what was sent.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "control/core/admission/codes.h"
#include "tests/unit/admission/adoption.h"

namespace qure::admission::test {
namespace {

constexpr size_t kCandidateMacOffset = kMessageHead + 32 + 16 + 16 + 32 + 32 + 8;  // layout in messages.h

// A MAC of one of very many hosts.
MacAddress HostMac(uint32_t host) {
  return {{0x06, 0, static_cast<uint8_t>(host >> 24), static_cast<uint8_t>(host >> 16), static_cast<uint8_t>(host >> 8),
           static_cast<uint8_t>(host)}};
}

// The datagram of a CANDIDATE as if it were of another MAC. Its signature does not hold any more.
std::vector<uint8_t> From(std::vector<uint8_t> candidate, const MacAddress& mac) {
  std::ranges::copy(mac.bytes, candidate.begin() + kCandidateMacOffset);
  return candidate;
}

CandidateMessage SignedCandidate(uint8_t number, const MacAddress& mac) {
  CandidateMessage candidate{
      .identity = Identity(number), .node = NodeIdOf(Identity(number)), .ephemeral = {number}, .mac = mac, .name = "n"};
  SignMessage(KeyOf(number), &candidate);
  return candidate;
}

class AttackTest : public ::testing::Test {
 protected:
  bool RunUntilKeyed(const Newcomer& newcomer, Duration longest = Seconds(3)) {
    return wire_.RunUntil([&] { return newcomer.keyed(); }, longest);
  }

  Wire wire_;
};

// --- Replays

class ReplayTest : public AttackTest, public ::testing::WithParamInterface<MessageType> {};

TEST_P(ReplayTest, WhatWasSentBeforeHasNoEffect) {
  Member founder(&wire_, 1, SetOf({}));
  founder.Expect(7);
  std::vector<Sent> recorded;
  {
    Newcomer newcomer(&wire_, 7);
    ASSERT_TRUE(RunUntilKeyed(newcomer));
    wire_.RunFor(Seconds(6));
    for (const Sent& sent : wire_.sent) {
      if (sent.type() == GetParam()) recorded.push_back(sent);
    }
    ASSERT_FALSE(recorded.empty());
    for (int i = 0; i < 10; ++i) {
      for (const Sent& sent : recorded) wire_.Inject(sent, Milliseconds(100 * i));
    }
    wire_.RunFor(Seconds(2));
    EXPECT_TRUE(newcomer.keyed());
    newcomer.down = true;
  }
  EXPECT_EQ(founder.admitted.size(), 1u);
  EXPECT_EQ(wire_.Count(MessageType::kWelcome, founder.mac), 1u);

  // The same identity starts anew, with other ephemeral keys, and hears nobody but the recording.
  founder.down = true;
  Newcomer again(&wire_, 7);
  for (int i = 0; i < 10; ++i) {
    for (const Sent& sent : recorded) wire_.Inject(sent, Milliseconds(100 * i));
  }
  wire_.RunFor(Seconds(5));
  EXPECT_FALSE(again.keyed());
  EXPECT_FALSE(again.membership);
}
INSTANTIATE_TEST_SUITE_P(Types, ReplayTest,
                         ::testing::Values(MessageType::kCandidate, MessageType::kOffer, MessageType::kProof,
                                           MessageType::kAccept, MessageType::kRecords, MessageType::kWelcome,
                                           MessageType::kReceipt));

TEST_F(AttackTest, ReplaysDuringAnAdoptionDoNotEndIt) {
  Member founder(&wire_, 1, SetOf({}));
  founder.Expect(7);
  std::vector<Sent> recorded;
  for (size_t i = 0; i < 2 * kMaxHandshakesOfOne; ++i) {  // minutes that somebody recorded
    const auto newcomer = std::make_unique<Newcomer>(&wire_, 7);
    wire_.RunFor(Milliseconds(50));
    newcomer->down = true;
  }
  recorded.assign(wire_.sent.begin(), wire_.sent.end());
  wire_.RunFor(Seconds(10));
  for (int i = 0; i < 100; ++i) {
    for (const Sent& sent : recorded) wire_.Inject(sent, Milliseconds(20 * i));
  }
  Newcomer newcomer(&wire_, 7);
  ASSERT_TRUE(RunUntilKeyed(newcomer));
}

// --- Transcripts

TEST_F(AttackTest, AnAcceptanceOfAnotherCandidatesOfferAdmitsNobody) {
  Member founder(&wire_, 1, SetOf({}));
  founder.Expect(7);
  founder.Expect(8);
  wire_.lose = [&](const Sent& sent) { return sent.type() == MessageType::kAccept; };
  Newcomer seven(&wire_, 7);
  Newcomer eight(&wire_, 8);
  ASSERT_TRUE(wire_.RunUntil(
      [&] { return wire_.Last(MessageType::kAccept, seven.mac) && wire_.Last(MessageType::kAccept, eight.mac); },
      Seconds(2)));
  const AcceptMessage of_seven = *wire_.Last(MessageType::kAccept, seven.mac)->As<AcceptMessage>();
  const AcceptMessage of_eight = *wire_.Last(MessageType::kAccept, eight.mac)->As<AcceptMessage>();
  AcceptMessage mixed{.h2 = of_seven.h2};
  SignMessage(KeyOf(8), &mixed);
  AcceptMessage swapped = of_eight;
  swapped.h2 = of_seven.h2;
  AcceptMessage with_token = of_seven;
  with_token.token = {1};
  for (const AcceptMessage& each : {mixed, swapped, with_token}) {
    for (const MacAddress& mac : {seven.mac, eight.mac}) {
      wire_.Inject({.from = mac, .to = founder.mac, .payload = WriteMessage(each)});
    }
  }
  wire_.Inject({.from = eight.mac, .to = founder.mac, .payload = WriteMessage(of_seven)});  // true, from elsewhere
  wire_.RunFor(Milliseconds(100));
  EXPECT_TRUE(founder.admitted.empty());
}

TEST_F(AttackTest, AnOfferThatItsSenderDidNotSignIsIgnored) {
  Member founder(&wire_, 1, SetOf({}));
  founder.Expect(7);
  wire_.lose = [&](const Sent& sent) {
    if (sent.type() != MessageType::kOffer) return false;
    OfferMessage forged = *sent.As<OfferMessage>();
    forged.ephemeral = {9};
    wire_.Inject({.from = sent.from, .to = sent.to, .payload = WriteMessage(forged)});
    for (const ProofMessage& part :
         PartsOf(*ProofFor(founder.records, founder.view, Identity(1)), TranscriptOf(forged))) {
      wire_.Inject({.from = sent.from, .to = sent.to, .payload = WriteMessage(part)});
    }
    return true;
  };
  Newcomer newcomer(&wire_, 7);
  wire_.RunFor(Seconds(5));
  EXPECT_GT(newcomer.candidate->checks(), 0u);
  EXPECT_EQ(wire_.Count(MessageType::kAccept, newcomer.mac), 0u);
}

TEST_F(AttackTest, ACandidateThatItsIdentityDidNotSignIsOfferedNothing) {
  Member founder(&wire_, 1, SetOf({}));
  founder.Expect(7);
  founder.Hear(wire_.now, HostMac(5), From(WriteMessage(SignedCandidate(7, MacOf(7))), HostMac(5)));
  EXPECT_EQ(founder.admitter.checks(), 1u);
  EXPECT_TRUE(wire_.sent.empty());
  EXPECT_TRUE(founder.admitter.listed().all().empty());
}

TEST_F(AttackTest, WhatIsSealedWithAnotherKeyIsIgnored) {
  Member founder(&wire_, 1, SetOf({}));
  founder.Expect(7);
  wire_.lose = [&](const Sent& sent) {
    if (sent.type() == MessageType::kRecords) {
      RecordsMessage forged = *sent.As<RecordsMessage>();
      forged.sealed.back() ^= 1;
      wire_.Inject({.from = sent.from, .to = sent.to, .payload = WriteMessage(forged)});
    }
    if (sent.type() == MessageType::kWelcome) {
      WelcomeMessage forged = *sent.As<WelcomeMessage>();
      forged.sealed[0] ^= 1;
      wire_.Inject({.from = sent.from, .to = sent.to, .payload = WriteMessage(forged)});
    }
    if (sent.type() == MessageType::kReceipt) {
      ReceiptMessage forged = *sent.As<ReceiptMessage>();
      forged.what = ReceiptOf::kKeys;
      forged.counter = 0;
      forged.code[0] ^= 1;
      wire_.Inject({.from = sent.from, .to = sent.to, .payload = WriteMessage(forged)});
    }
    return false;
  };
  Newcomer newcomer(&wire_, 7);
  ASSERT_TRUE(RunUntilKeyed(newcomer));
  EXPECT_TRUE(newcomer.logs.empty());
}

TEST_F(AttackTest, ACandidateFromAnotherMacThanItsOwnIsIgnored) {
  Member founder(&wire_, 1, SetOf({}));
  founder.Expect(7);
  founder.Hear(wire_.now, HostMac(5), WriteMessage(SignedCandidate(7, MacOf(7))));
  EXPECT_EQ(founder.admitter.checks(), 0u);
  EXPECT_TRUE(wire_.sent.empty());
}

// --- Expelled members

TEST_F(AttackTest, AnExpelledOffererDoesNotConvinceAMemberThatKnows) {
  const RecordSet old = SetOf({AdmitRecord(1, 2), AdmitRecord(1, 7)});
  RecordSet newer = old;
  newer.Add(RosterRecord(1, {1, 7}));
  Member thief(&wire_, 2, old);
  Newcomer member(&wire_, 7, [&](CandidateConfig* config) {
    config->known = newer;
    config->renews = true;
    config->want = newer.cluster();
  });
  wire_.RunFor(Seconds(5));
  EXPECT_GT(wire_.Count(MessageType::kOffer, thief.mac), 0u);
  EXPECT_EQ(wire_.Count(MessageType::kAccept, member.mac), 0u);
  ASSERT_FALSE(member.logs.empty());
  EXPECT_NE(member.logs[0].find("expelled"), std::string::npos);
}

TEST_F(AttackTest, AnAdmissionByAnExpelledMemberIsVoidForThoseThatKnow) {
  // It captures a node that cannot know: the proof of the old generation holds by itself.
  Member thief(&wire_, 2, SetOf({AdmitRecord(1, 2)}));
  thief.Expect(7);
  Newcomer pinned(&wire_, 7, [&](CandidateConfig* config) { config->want = thief.records.cluster(); });
  ASSERT_TRUE(RunUntilKeyed(pinned));
  RecordSet cluster = SetOf({AdmitRecord(1, 2), RosterRecord(1, {1})});
  cluster.Merge(pinned.membership->records);
  EXPECT_FALSE(ViewOf(cluster).members.contains(Identity(7)));
  SessionKeys keys;
  keys.Follow(ViewOf(cluster), Identity(1), wire_.now);
  EXPECT_FALSE(keys.Take(pinned.membership->grants.front())) << "its key opens nothing there";
}

TEST_F(AttackTest, KeysForOtherRostersAreNotTaken) {
  // The offerer hears of a roster between RECORDS and WELCOME.
  Member founder(&wire_, 1, SetOf({AdmitRecord(1, 7)}));
  wire_.lose = [&](const Sent& sent) {
    if (sent.type() == MessageType::kRecords && founder.view.generation == 0) {
      founder.records.Add(RosterRecord(1, {1, 7}));
      founder.Follow();
    }
    return false;
  };
  Newcomer newcomer(&wire_, 7);
  wire_.RunFor(Milliseconds(600));
  EXPECT_FALSE(newcomer.keyed());
  ASSERT_FALSE(newcomer.logs.empty());
  ASSERT_TRUE(RunUntilKeyed(newcomer)) << "it asks again, and gets all";
  EXPECT_EQ(ViewOf(newcomer.membership->records).generation, 1u);
}

// --- Floods

class FloodTest : public AttackTest {
 protected:
  // `per_second` copies of `candidate`, each from another host, until a time.
  void Flood(Member* member, const std::vector<uint8_t>& candidate, uint32_t per_second, MonoTime until) {
    constexpr uint32_t kBurstsPerSecond = 500;
    for (uint32_t i = 0; i < per_second / kBurstsPerSecond; ++i) {
      const MacAddress mac = HostMac(hosts_++);
      member->Hear(wire_.now, mac, From(candidate, mac));
    }
    heard_ += per_second / kBurstsPerSecond;
    if (wire_.now < until) {
      wire_.At(wire_.now + Seconds(1) / kBurstsPerSecond, [=, this] { Flood(member, candidate, per_second, until); });
    }
  }

  uint32_t hosts_ = 0;
  uint64_t heard_ = 0;
};

TEST_F(FloodTest, DelaysANamedCandidateForASecondAtMost) {
  Member founder(&wire_, 1, SetOf({}));
  founder.Expect(7);
  // What is copied is the named candidate's own word, so that each copy is one of an invited node.
  const std::vector<uint8_t> copied = WriteMessage(SignedCandidate(7, MacOf(7)));
  Flood(&founder, copied, 50'000, wire_.now + Seconds(2));
  wire_.RunFor(Milliseconds(500));
  Newcomer newcomer(&wire_, 7);
  ASSERT_TRUE(wire_.RunUntil([&] { return wire_.Last(MessageType::kCandidate, newcomer.mac) != nullptr; }, Seconds(1)));
  const MonoTime asked = wire_.now;
  ASSERT_TRUE(wire_.RunUntil([&] { return wire_.Last(MessageType::kOffer, founder.mac) != nullptr; }, Seconds(1)));
  EXPECT_LE(wire_.now - asked, Seconds(1));
  ASSERT_TRUE(RunUntilKeyed(newcomer));
  EXPECT_GT(heard_, 25'000u);
  const auto most = static_cast<uint64_t>(ToSeconds(wire_.now - kStart) * kSignaturesPerSecond) + kSignatureBurst;
  EXPECT_LE(founder.admitter.checks(), most + 10) << "and those of its ACCEPT";
}

TEST_F(FloodTest, CookiesAreAskedForOnlyThen) {
  Member founder(&wire_, 1, SetOf({}));
  founder.Expect(7);
  Newcomer newcomer(&wire_, 7);
  ASSERT_TRUE(RunUntilKeyed(newcomer));
  EXPECT_EQ(wire_.Count(MessageType::kCookie, founder.mac), 0u);
}

TEST_F(FloodTest, ACookieIsWorthNothingAtAnotherMac) {
  Member founder(&wire_, 1, SetOf({}));
  founder.Expect(8);
  founder.Expect(9);
  Flood(&founder, WriteMessage(SignedCandidate(9, MacOf(9))), 5'000, wire_.now + Seconds(3));
  wire_.RunFor(Milliseconds(1500));
  // The signatures that were due before cookies were asked for are checked by now.
  const uint64_t before = founder.admitter.checks();
  founder.Hear(wire_.now, HostMac(1 << 30), WriteMessage(SignedCandidate(8, HostMac(1 << 30))));
  const Sent asked = wire_.sent.back();
  ASSERT_TRUE(asked.As<CookieMessage>());
  EXPECT_EQ(asked.to, HostMac(1 << 30));
  EXPECT_LT(asked.payload.size(), WriteMessage(SignedCandidate(8, MacOf(8))).size()) << "no amplifier";
  EXPECT_EQ(founder.admitter.checks(), before);

  CandidateMessage elsewhere = SignedCandidate(8, HostMac((1 << 30) + 1));
  elsewhere.cookie = asked.As<CookieMessage>()->cookie;
  founder.Hear(wire_.now, elsewhere.mac, WriteMessage(elsewhere));
  EXPECT_EQ(founder.admitter.checks(), before);
  CandidateMessage there = SignedCandidate(8, HostMac(1 << 30));
  there.cookie = elsewhere.cookie;
  founder.Hear(wire_.now, there.mac, WriteMessage(there));
  EXPECT_EQ(founder.admitter.checks(), before + 1);
}

TEST_F(FloodTest, OneMacGetsItsShareAndNoMore) {
  Member founder(&wire_, 1, SetOf({}));
  for (uint8_t i = 10; i < 60; ++i) founder.Expect(i);
  for (int round = 0; round < 10; ++round) {
    for (uint8_t i = 10; i < 15; ++i) {
      CandidateMessage candidate = SignedCandidate(i, HostMac(1));
      candidate.boot = {static_cast<uint8_t>(round)};
      SignMessage(KeyOf(i), &candidate);
      founder.Hear(wire_.now, candidate.mac, WriteMessage(candidate));
    }
    wire_.RunFor(Milliseconds(100));
  }
  EXPECT_LE(founder.admitter.checks(), 2u * kSourcePerSecond);
}

TEST_F(FloodTest, AVerifiedCandidateIsNotVerifiedAgain) {
  Member founder(&wire_, 1, SetOf({}));
  founder.Expect(8);
  const std::vector<uint8_t> candidate = WriteMessage(SignedCandidate(8, MacOf(8)));
  for (int i = 0; i < 50; ++i) {
    founder.Hear(wire_.now, MacOf(8), candidate);
    wire_.RunFor(Milliseconds(20));
  }
  EXPECT_EQ(founder.admitter.checks(), 1u);
  EXPECT_LE(wire_.Count(MessageType::kOffer, founder.mac), 2u * kOffersPerHandshake);
  EXPECT_GE(wire_.Count(MessageType::kOffer, founder.mac), 1u * kOffersPerHandshake);
}

TEST_F(FloodTest, AFullListDoesNotRefuseTheNamed) {
  Member founder(&wire_, 1, SetOf({}));
  for (int round = 0; round < 2; ++round) {
    for (int i = 10; i < 10 + 80; ++i) {
      founder.Hear(wire_.now, HostMac(static_cast<uint32_t>(i)),
                   WriteMessage(SignedCandidate(static_cast<uint8_t>(i), HostMac(static_cast<uint32_t>(i)))));
      wire_.RunFor(Milliseconds(60));
    }
  }
  ASSERT_EQ(founder.admitter.listed().all().size(), kMaxListed);
  founder.Expect(7);
  Newcomer newcomer(&wire_, 7);
  ASSERT_TRUE(RunUntilKeyed(newcomer));
}

TEST_F(FloodTest, HoldersOfATokenIdDisplaceNoNamedCandidate) {
  Member founder(&wire_, 1, SetOf({}));
  founder.admitter.invitations().SetTokens(
      {{.id = {3}, .key = Identity(200), .uses = 1, .until = wire_.now + Seconds(3600)}});
  for (uint8_t i = 10; i < 10 + kMaxHandshakes + 10; ++i) {
    CandidateMessage candidate = SignedCandidate(i, HostMac(i));
    candidate.token = {3};
    SignMessage(KeyOf(i), &candidate);
    founder.Hear(wire_.now, candidate.mac, WriteMessage(candidate));
    wire_.RunFor(Milliseconds(25));
  }
  ASSERT_EQ(founder.admitter.handshakes(), kMaxHandshakes);
  founder.Expect(7);
  Newcomer newcomer(&wire_, 7);
  ASSERT_TRUE(RunUntilKeyed(newcomer));
  EXPECT_LE(founder.admitter.handshakes(), kMaxHandshakes);
}

TEST_F(FloodTest, OffersAtACandidateAreBounded) {
  Newcomer newcomer(&wire_, 7);
  ASSERT_TRUE(wire_.RunUntil([&] { return !wire_.sent.empty(); }, Seconds(1)));
  const Digest h1 = TranscriptOf(*wire_.sent.back().As<CandidateMessage>());
  for (uint32_t i = 0; i < 3'000; ++i) {
    OfferMessage offer{.h1 = h1,
                       .cluster = {static_cast<uint8_t>(i), static_cast<uint8_t>(i >> 8)},
                       .identity = Identity(30),
                       .mac = HostMac(i),
                       .proof_size = 1,
                       .name = "x"};
    SignMessage(KeyOf(30), &offer);
    newcomer.Hear(wire_.now, offer.mac, WriteMessage(offer));
    wire_.RunFor(Milliseconds(1));
  }
  EXPECT_LE(newcomer.candidate->checks(), 3u * kOfferChecksPerSecond + kOfferChecksPerSecond);
  EXPECT_LT(wire_.Count(MessageType::kAccept, newcomer.mac), 40u * kMaxOffers) << "it asks for the proofs of few";
}

TEST_F(FloodTest, OffersOfOthersDoNotDelayWhoWantsOneCluster) {
  Member founder(&wire_, 1, SetOf({}));
  founder.Expect(7);
  founder.down = true;
  Newcomer newcomer(&wire_, 7, [&](CandidateConfig* config) { config->want = founder.records.cluster(); });
  ASSERT_TRUE(wire_.RunUntil([&] { return !wire_.sent.empty(); }, Seconds(1)));
  const Digest h1 = TranscriptOf(*wire_.sent.back().As<CandidateMessage>());
  for (uint32_t i = 0; i < 500; ++i) {
    OfferMessage offer{
        .h1 = h1, .cluster = {9}, .identity = Identity(30), .mac = HostMac(i), .proof_size = 1, .name = "x"};
    wire_.Inject({.from = offer.mac, .to = newcomer.mac, .payload = WriteMessage(offer)}, Milliseconds(5 * i));
  }
  founder.down = false;
  ASSERT_TRUE(RunUntilKeyed(newcomer));
}

// --- What is left where something ends

TEST_F(AttackTest, AdmittedWithoutAWelcomeAsksAgainAsAMember) {
  Member founder(&wire_, 1, SetOf({}));
  founder.Expect(7);
  wire_.lose = [](const Sent& sent) { return sent.type() == MessageType::kWelcome; };
  Newcomer newcomer(&wire_, 7);
  wire_.RunFor(Seconds(10));
  ASSERT_EQ(founder.admitted.size(), 1u);
  EXPECT_FALSE(newcomer.keyed());
  founder.admitter.invitations().Unexpect(founder.admitted[0].expected);
  wire_.lose = nullptr;
  ASSERT_TRUE(RunUntilKeyed(newcomer, Seconds(6)));
  EXPECT_EQ(founder.admitted.size(), 1u);
}

TEST_F(AttackTest, ACandidateThatRestartsAfterItsAdmissionIsAMember) {
  Member founder(&wire_, 1, SetOf({}));
  founder.Expect(7);
  Newcomer first(&wire_, 7);
  first.store_is_slow = true;
  ASSERT_TRUE(wire_.RunUntil([&] { return wire_.Count(MessageType::kWelcome, founder.mac) > 0; }, Seconds(3)));
  first.down = true;
  Newcomer second(&wire_, 7, [](CandidateConfig* config) { config->boot = {99}; });
  ASSERT_TRUE(RunUntilKeyed(second));
  EXPECT_EQ(founder.admitted.size(), 1u);
}

TEST_F(AttackTest, AHandshakeWithoutAnEndIsForgotten) {
  Member founder(&wire_, 1, SetOf({}));
  founder.Expect(7);
  wire_.lose = [](const Sent& sent) { return sent.type() == MessageType::kReceipt; };
  Newcomer newcomer(&wire_, 7);
  wire_.RunFor(Seconds(5));
  newcomer.down = true;
  wire_.RunFor(kHandshakePatience);
  EXPECT_EQ(founder.admitter.handshakes(), 0u);
}

TEST_F(AttackTest, OfTwoThatAreMeantAlikeNoneIsTaken) {
  // Nobody can make two identities of one code, so what is typed here is shorter than one.
  std::map<std::string, std::vector<uint8_t>> by_digit;
  for (uint8_t number = 10; number < 50; ++number) {
    by_digit[DigitsOf(FingerprintOf(Identity(number))).substr(0, 1)].push_back(number);
  }
  const auto alike = std::ranges::find_if(by_digit, [](const auto& each) { return each.second.size() > 1; });
  ASSERT_NE(alike, by_digit.end());
  Member founder(&wire_, 1, SetOf({}));
  Newcomer one(&wire_, alike->second[0]);
  Newcomer other(&wire_, alike->second[1]);
  wire_.RunFor(Seconds(2));
  EXPECT_EQ(founder.admitter.Expect(wire_.now, alike->first, wire_.now + Seconds(60)).size(), 2u);
  wire_.RunFor(Seconds(5));
  EXPECT_TRUE(founder.admitted.empty());
}

}  // namespace
}  // namespace qure::admission::test
