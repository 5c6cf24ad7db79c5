// What bounds the work that unauthenticated datagrams can cause.
#include "control/core/admission/budgets.h"

#include <gtest/gtest.h>

#include <vector>

#include "control/core/admission/candidate_list.h"
#include "control/core/admission/codes.h"
#include "control/core/admission/invitations.h"
#include "tests/unit/admission/adoption.h"

namespace qure::admission::test {
namespace {

int TakenWithin(Budget* budget, MonoTime from, Duration span, Duration step) {
  int taken = 0;
  for (MonoTime now = from; now < from + span; now = now + step) taken += budget->Take(now) ? 1 : 0;
  return taken;
}

TEST(Budget, HasABurstAndThenItsRate) {
  Budget budget(20, 5);
  EXPECT_EQ(TakenWithin(&budget, kStart, Milliseconds(1), Microseconds(10)), 5);
  EXPECT_EQ(TakenWithin(&budget, kStart + Milliseconds(1), Seconds(10), Milliseconds(1)), 200);
  EXPECT_EQ(TakenWithin(&budget, kStart + Seconds(20), Milliseconds(1), Microseconds(10)), 5) << "no more is saved up";
}

TEST(Budget, WhatIsSpentBeyondIsPaidOff) {
  Budget budget(20, 20);
  ASSERT_TRUE(budget.Has(kStart));
  budget.Spend(kStart, 60);
  EXPECT_FALSE(budget.Has(kStart + Seconds(2)));
  EXPECT_TRUE(budget.Has(budget.next()));
  EXPECT_EQ(budget.next(), kStart + Seconds(2) + Milliseconds(50));
}

TEST(RateMeter, NoticesMoreThanTheMost) {
  RateMeter meter(100);
  for (int i = 0; i < 100; ++i) meter.Count(kStart);
  EXPECT_FALSE(meter.Exceeds(kStart));
  meter.Count(kStart + Milliseconds(500));
  EXPECT_TRUE(meter.Exceeds(kStart + Milliseconds(500)));
  meter.Count(kStart + Milliseconds(1100));
  EXPECT_TRUE(meter.Exceeds(kStart + Milliseconds(1100))) << "the second before was busy";
  meter.Count(kStart + Milliseconds(2200));
  EXPECT_FALSE(meter.Exceeds(kStart + Milliseconds(2200)));
  EXPECT_FALSE(meter.Exceeds(kStart + Seconds(60)));
}

TEST(BudgetBySource, OneTakesNothingFromAnother) {
  BudgetBySource budget(4, 2, 2);
  for (int i = 0; i < 100; ++i) budget.Take(kStart, MacOf(1));
  EXPECT_FALSE(budget.Take(kStart, MacOf(1)));
  EXPECT_TRUE(budget.Take(kStart, MacOf(2)));
}

TEST(FairQueue, SourcesTakeTurns) {
  FairQueue<int> queue(2);
  EXPECT_TRUE(queue.Push(MacOf(1), 1));
  EXPECT_TRUE(queue.Push(MacOf(1), 2));
  EXPECT_TRUE(queue.Push(MacOf(2), 3));
  EXPECT_FALSE(queue.Push(MacOf(3), 4)) << "full";
  EXPECT_EQ(queue.Pop(), std::pair(MacOf(1), 2));
  EXPECT_EQ(queue.Pop(), std::pair(MacOf(2), 3));
  EXPECT_FALSE(queue.Pop());
}

TEST(Cookies, AreBoundToMacAndIdentity) {
  Cookies cookies(DrawFrom(std::make_shared<std::minstd_rand>(1)));
  const Cookie cookie = cookies.For(kStart, MacOf(1), Identity(7));
  EXPECT_TRUE(cookies.Accepts(kStart, MacOf(1), Identity(7), cookie));
  EXPECT_FALSE(cookies.Accepts(kStart, MacOf(2), Identity(7), cookie));
  EXPECT_FALSE(cookies.Accepts(kStart, MacOf(1), Identity(8), cookie));
  EXPECT_FALSE(cookies.Accepts(kStart, MacOf(1), Identity(7), Cookie{}));
}

TEST(Cookies, EndWithTheirSecret) {
  Cookies cookies(DrawFrom(std::make_shared<std::minstd_rand>(1)));
  const Cookie cookie = cookies.For(kStart, MacOf(1), Identity(7));
  EXPECT_TRUE(cookies.Accepts(kStart + kCookieSecretLife, MacOf(1), Identity(7), cookie)) << "the secret before";
  EXPECT_FALSE(cookies.Accepts(kStart + kCookieSecretLife * 2, MacOf(1), Identity(7), cookie));
  const Cookie second = cookies.For(kStart + kCookieSecretLife * 2, MacOf(1), Identity(7));
  EXPECT_FALSE(cookies.Accepts(kStart + kCookieSecretLife * 4, MacOf(1), Identity(7), second));
}

CandidateMessage Heard(uint8_t number) {
  return {.identity = Identity(number), .node = NodeIdOf(Identity(number)), .mac = MacOf(number), .name = "n"};
}

TEST(CandidateList, TheUnnamedOneThatWasSilentLongestGivesWay) {
  CandidateList list;
  list.Note(kStart, Heard(1), ListedState::kNamed);
  for (uint8_t i = 2; i <= kMaxListed; ++i) list.Note(kStart + Milliseconds(i), Heard(i), ListedState::kUnnamed);
  list.Note(kStart + Milliseconds(100), Heard(2), ListedState::kUnnamed);
  list.Note(kStart + Milliseconds(101), Heard(100), ListedState::kUnnamed);
  EXPECT_EQ(list.all().size(), kMaxListed);
  EXPECT_TRUE(list.all().contains(Identity(1)));
  EXPECT_TRUE(list.all().contains(Identity(2)));
  EXPECT_FALSE(list.all().contains(Identity(3)));
  EXPECT_TRUE(list.all().contains(Identity(100)));
  list.Tick(kStart + kListedLife);
  EXPECT_FALSE(list.all().contains(Identity(1)));
  EXPECT_TRUE(list.all().contains(Identity(100)));
}

class InvitationsTest : public ::testing::Test {
 protected:
  std::optional<AdmitReason> ReasonFor(const CandidateMessage& candidate, MonoTime now = kStart) const {
    const auto invitation = invitations_.For(now, candidate, view_);
    return invitation ? std::optional(invitation->reason) : std::nullopt;
  }
  static std::string Digits(uint8_t number, size_t count = kCodeDigits) {
    return DigitsOf(FingerprintOf(Identity(number))).substr(0, count);
  }

  View view_ = ViewOf(SetOf({AdmitRecord(1, 2)}));
  Invitations invitations_;
};

TEST_F(InvitationsTest, AnExpectationNamesByAnyBeginning) {
  EXPECT_EQ(ReasonFor(Heard(7)), std::nullopt);
  for (const size_t count : {kCodeDigits, size_t{20}, size_t{52}}) {
    ASSERT_TRUE(invitations_.Expect(Digits(7, count), kStart + Seconds(1)));
    EXPECT_EQ(ReasonFor(Heard(7)), AdmitReason::kNamed) << count;
    EXPECT_EQ(ReasonFor(Heard(8)), std::nullopt);
    EXPECT_EQ(ReasonFor(Heard(7), kStart + Seconds(1)), std::nullopt) << "it is over";
    invitations_.Unexpect(Digits(7, count));
    EXPECT_EQ(ReasonFor(Heard(7)), std::nullopt);
  }
  std::string other = Digits(7, 20);
  other.back() = other.back() == '0' ? '1' : '0';
  invitations_.Expect(other, kStart + Seconds(1));
  EXPECT_EQ(ReasonFor(Heard(7)), std::nullopt) << "the code alone is not what was named";
}

TEST_F(InvitationsTest, ExpectationsAreBoundedAndEnd) {
  for (size_t i = 0; i < kMaxExpectations; ++i) {
    EXPECT_TRUE(invitations_.Expect(std::to_string(100'000'000'000 + i), kStart + Seconds(1)));
  }
  EXPECT_FALSE(invitations_.Expect(Digits(7), kStart + Seconds(2)));
  EXPECT_TRUE(invitations_.Expect("100000000000", kStart + Seconds(2))) << "it is one of them";
  invitations_.Tick(kStart + Seconds(1));
  EXPECT_TRUE(invitations_.Expect(Digits(7), kStart + Seconds(2)));
}

TEST_F(InvitationsTest, AnExpectationThatIsMetIsForNoOther) {
  invitations_.Expect(Digits(7), kStart + Seconds(1));
  invitations_.Use({.reason = AdmitReason::kNamed, .expected = Digits(7)}, Identity(8));
  EXPECT_EQ(ReasonFor(Heard(7)), std::nullopt);
  invitations_.Use({.reason = AdmitReason::kNamed, .expected = Digits(7)}, Identity(7));
  EXPECT_EQ(ReasonFor(Heard(7)), AdmitReason::kNamed);
}

TEST_F(InvitationsTest, ATokenHasUsesAndATime) {
  CandidateMessage candidate = Heard(7);
  candidate.token = {4};
  EXPECT_EQ(ReasonFor(candidate), std::nullopt);
  invitations_.SetTokens({{.id = {4}, .key = {5}, .uses = 2, .until = kStart + Seconds(1)}});
  EXPECT_EQ(ReasonFor(candidate), AdmitReason::kToken);
  EXPECT_EQ(ReasonFor(Heard(7)), std::nullopt);
  EXPECT_EQ(ReasonFor(candidate, kStart + Seconds(1)), std::nullopt);
  invitations_.Use({.reason = AdmitReason::kToken, .token = {4}}, Identity(7));
  EXPECT_EQ(ReasonFor(candidate), AdmitReason::kToken);
  invitations_.Use({.reason = AdmitReason::kToken, .token = {4}}, Identity(8));
  EXPECT_EQ(ReasonFor(candidate), std::nullopt) << "used up";
}

TEST_F(InvitationsTest, AutoAdmitTakesCopiesOrAll) {
  CandidateMessage copy = Heard(7);
  copy.copy = CopyOf{.identity = Identity(2)};
  CandidateMessage of_stranger = Heard(8);
  of_stranger.copy = CopyOf{.identity = Identity(9)};
  invitations_.SetAuto(AutoAdmit::kCopies);
  EXPECT_EQ(ReasonFor(copy), AdmitReason::kAuto);
  EXPECT_EQ(ReasonFor(of_stranger), std::nullopt);
  EXPECT_EQ(ReasonFor(Heard(7)), std::nullopt);
  invitations_.SetAuto(AutoAdmit::kAll);
  EXPECT_EQ(ReasonFor(Heard(7)), AdmitReason::kAuto);
}

TEST_F(InvitationsTest, AMemberIsOneUnderItsNodeIdAlone) {
  EXPECT_EQ(ReasonFor(Heard(2)), AdmitReason::kMember);
  CandidateMessage other = Heard(2);
  other.node[0] ^= 1;
  EXPECT_EQ(ReasonFor(other), std::nullopt);
}

}  // namespace
}  // namespace qure::admission::test
