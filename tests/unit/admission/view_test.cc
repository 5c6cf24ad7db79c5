// Who is a member, rule by rule.
#include "control/core/admission/view.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/unit/admission/support.h"

namespace qure::admission::test {
namespace {

using Added = RecordSet::Added;
using Numbers = std::vector<int>;

TEST(View, AClusterBeginsWithItsFounder) {
  const RecordSet set = SetOf({});
  const View view = ViewOf(set);
  EXPECT_EQ(MembersOf(set), Numbers{1});
  EXPECT_EQ(view.generation, 0u);
  EXPECT_EQ(view.members.at(Identity(1)).node, ListedOf(1).node);
  EXPECT_TRUE(view.in_effect.empty());
}

TEST(View, AdmissionsCountByAChainFromTheBase) {
  EXPECT_EQ(MembersOf(SetOf({AdmitRecord(1, 2), AdmitRecord(2, 3), AdmitRecord(3, 4)})), (Numbers{1, 2, 3, 4}));
  EXPECT_EQ(MembersOf(SetOf({AdmitRecord(2, 3), AdmitRecord(3, 2)})), Numbers{1}) << "no chain";
  EXPECT_EQ(MembersOf(SetOf({AdmitRecord(3, 4), AdmitRecord(2, 3), AdmitRecord(1, 2)})), (Numbers{1, 2, 3, 4}));
  EXPECT_EQ(ViewOf(SetOf({AdmitRecord(1, 2)})).members.at(Identity(2)).name, "n2");
}

TEST(View, ARosterIsAllWhoStay) {
  const std::vector<Record> before = {AdmitRecord(1, 2), AdmitRecord(2, 3), AdmitRecord(1, 4)};
  RecordSet set = SetOf(before);
  set.Add(RosterRecord(1, {1, 3, 4}));
  EXPECT_EQ(MembersOf(set), (Numbers{1, 3, 4}));
  EXPECT_EQ(ViewOf(set).generation, 1u);
  set.Add(AdmitRecord(1, 2, 0, 99));
  set.Add(AdmitRecord(2, 2, 1));
  EXPECT_EQ(MembersOf(set), (Numbers{1, 3, 4})) << "an admission of before has no effect, nor one by the expelled";
  set.Add(AdmitRecord(4, 2, 1));
  EXPECT_EQ(MembersOf(set), (Numbers{1, 2, 3, 4})) << "admitted again";
}

TEST(View, AdmissionsOfOtherGenerationsDoNotCountWheneverTheyCome) {
  RecordSet set = SetOf({AdmitRecord(1, 5, 2), AdmitRecord(1, 6, 1), AdmitRecord(1, 7, 3), RosterRecord(2, {1, 2})});
  EXPECT_EQ(MembersOf(set), (Numbers{1, 2, 5}));
  set.Add(RosterRecord(1, {1, 9}));
  EXPECT_EQ(MembersOf(set), (Numbers{1, 2, 5})) << "a roster of before";
  set.Add(RosterRecord(3, {1}));
  EXPECT_EQ(MembersOf(set), (Numbers{1, 7})) << "made for this generation by one who is still in it";
}

TEST(View, OfEqualRostersTheBaseIsWhoIsInAll) {
  EXPECT_EQ(MembersOf(SetOf({RosterRecord(1, {1, 2, 3}), RosterRecord(1, {1, 3, 4})})), (Numbers{1, 3}));
  EXPECT_EQ(MembersOf(SetOf({RosterRecord(1, {1, 2}), RosterRecord(1, {3, 4}), AdmitRecord(1, 5, 1)})), Numbers{});
  EXPECT_EQ(MembersOf(SetOf({RosterRecord(1, {1, 2}), RosterRecord(1, {3, 4}), RosterRecord(2, {3})})), Numbers{3});
}

TEST(View, TheDigestOfTheRostersNamesAllOfTheGeneration) {
  const auto rosters = [](const std::vector<Record>& records) { return ViewOf(SetOf(records)).rosters; };
  const Digest first = rosters({RosterRecord(1, {1, 2})});
  EXPECT_NE(first, rosters({}));
  EXPECT_NE(first, rosters({RosterRecord(1, {1, 2}, 4)}));
  EXPECT_NE(first, rosters({RosterRecord(1, {1, 2}), RosterRecord(1, {1, 2}, 4)}));
  EXPECT_EQ(first, rosters({RosterRecord(1, {1, 2}), AdmitRecord(1, 3, 1)}));
  EXPECT_EQ(rosters({RosterRecord(2, {1})}), rosters({RosterRecord(1, {1, 2}), RosterRecord(2, {1})}));
  EXPECT_NE(ViewOf(SetOf({})).rosters, ViewOf(RecordSet(GenesisRecord(ListedOf(2)))).rosters);
}

TEST(View, WhoLeavesIsOutAndWhomItAdmittedStays) {
  RecordSet set = SetOf({AdmitRecord(1, 2), AdmitRecord(2, 3), LeaveRecord(2)});
  EXPECT_EQ(MembersOf(set), (Numbers{1, 3}));
  set.Add(AdmitRecord(1, 2, 0, 8));
  set.Add(RosterRecord(1, {1, 2, 3}));
  EXPECT_EQ(MembersOf(set), (Numbers{1, 3})) << "an identity that left does not come back";
}

TEST(View, ForgetMarksAndDoesNotExpel) {
  RecordSet set = SetOf({AdmitRecord(1, 2), ForgetRecord(1, 2, 7), ForgetRecord(1, 2, 5), ForgetRecord(9, 1, 5)});
  EXPECT_EQ(MembersOf(set), (Numbers{1, 2}));
  EXPECT_EQ(ViewOf(set).members.at(Identity(2)).forgotten, 7u);
  EXPECT_EQ(ViewOf(set).members.at(Identity(1)).forgotten, std::nullopt) << "marked by one who is no member";
  set.Add(ForgetRecord(1, 9, 5));
  EXPECT_EQ(MembersOf(set), (Numbers{1, 2}));
}

// Uses that are left, absent: it is not open at all.
std::optional<uint32_t> UsesLeft(const std::vector<Record>& records) {
  const std::map<TokenId, TokenView> tokens = ViewOf(SetOf(records)).tokens;
  const auto token = tokens.find({7});
  return token == tokens.end() ? std::nullopt : std::optional(token->second.uses);
}

TEST(View, ATokenIsOpenForAsManyAsItSaysLessThoseThatCameByIt) {
  EXPECT_EQ(UsesLeft({}), std::nullopt);
  EXPECT_EQ(UsesLeft({InviteRecord(1, 2)}), 2u);
  EXPECT_EQ(UsesLeft({InviteRecord(1, 2), AdmitByTokenRecord(1, 2), AdmitRecord(1, 3)}), 1u);
  EXPECT_EQ(UsesLeft({InviteRecord(1, 2), AdmitByTokenRecord(1, 2), AdmitByTokenRecord(2, 3)}), 0u);
}

TEST(View, ATokenThatTwoPartitionsUsedShowsBoth) {
  const View view = ViewOf(SetOf({InviteRecord(1, 1), AdmitByTokenRecord(1, 2), AdmitByTokenRecord(1, 3)}));
  EXPECT_EQ(view.tokens.at({7}).uses, 0u);
  EXPECT_EQ(view.tokens.at({7}).used_by.size(), 2u);
  EXPECT_EQ(view.members.size(), 3u);
}

TEST(View, OneAdmittedTwiceByATokenIsOneUse) {
  EXPECT_EQ(UsesLeft({InviteRecord(1, 3), AdmitRecord(1, 4), AdmitByTokenRecord(1, 2), AdmitByTokenRecord(4, 2)}), 2u);
}

TEST(View, OnlyAMemberOpensATokenAndARosterClosesIt) {
  EXPECT_EQ(UsesLeft({InviteRecord(9, 2)}), std::nullopt);
  EXPECT_EQ(UsesLeft({InviteRecord(1, 2), RosterRecord(1, {1})}), std::nullopt);
  EXPECT_EQ(UsesLeft({InviteRecord(1, 2, 100, 1), RosterRecord(1, {1})}), 2u);
}

TEST(View, OfSeveralInvitationsTheLeastCounts) {
  EXPECT_EQ(UsesLeft({InviteRecord(1, 2), InviteRecord(1, 0)}), 0u) << "it was closed";
  EXPECT_EQ(ViewOf(SetOf({InviteRecord(1, 2, 100), InviteRecord(1, 2, 50)})).tokens.at({7}).until_uptime, 50u);
}

TEST(View, ATokenThatWasOverWhenAnotherWasOpenedIsNotKept) {
  Invite next = *InviteRecord(1, 1, 500, 0, 100).As<Invite>();
  next.token = {8};
  const View view = ViewOf(SetOf({InviteRecord(1, 2, 100), Record::Sign(next, KeyOf(1))}));
  EXPECT_EQ(view.tokens.size(), 1u);
  EXPECT_TRUE(view.tokens.contains({8}));
  EXPECT_EQ(view.in_effect.size(), 1u);
}

Record LegacyRecord(uint8_t signer, uint8_t subject, const NodeId& node) {
  Admit admit = Admission(signer, subject);
  admit.legacy = true;
  admit.subject.node = node;
  return Record::Sign(admit, KeyOf(signer));
}

TEST(View, TwoMembersWithOneNodeIdVoidEachOther) {
  RecordSet set = SetOf({LegacyRecord(1, 2, {7}), AdmitRecord(2, 4)});
  EXPECT_EQ(MembersOf(set), (Numbers{1, 2, 4}));
  EXPECT_EQ(ViewOf(set).members.at(Identity(2)).node, NodeId{7});
  set.Add(LegacyRecord(1, 3, {7}));
  EXPECT_EQ(MembersOf(set), (Numbers{1, 4}));
}

TEST(View, AClaimedNodeIdDoesNotVoidTheIdentityThatItFollowsFrom) {
  const RecordSet set = SetOf({AdmitRecord(1, 2), LegacyRecord(1, 3, ListedOf(2).node)});
  EXPECT_EQ(MembersOf(set), (Numbers{1, 2}));
}

TEST(View, OnlyTheFounderAdmitsWithAnIdOfBefore) {
  EXPECT_EQ(MembersOf(SetOf({AdmitRecord(1, 2), LegacyRecord(2, 3, {7})})), (Numbers{1, 2}));
  const RecordSet both = SetOf({LegacyRecord(1, 2, {7}), AdmitRecord(1, 2)});
  EXPECT_EQ(ViewOf(both).members.at(Identity(2)).node, ListedOf(2).node) << "one identity, one node id";
}

TEST(View, ARosterKeepsTheNodeIdsOfBefore) {
  Roster roster{.head = Head(), .generation = 1, .made_by = Identity(1)};
  roster.members = {ListedOf(1), {.identity = Identity(2), .node = {7}}};
  std::ranges::sort(roster.members);
  const RecordSet set = SetOf({Record::Sign(roster, KeyOf(kRecovery)), AdmitRecord(1, 2, 1)});
  EXPECT_EQ(ViewOf(set).members.at(Identity(2)).node, NodeId{7});
}

TEST(View, MoreThanTheBoundAllStayAndNoneIsAdmitted) {
  RecordSet set = SetOf({});
  for (uint8_t number = 2; number < kMaxMembers; ++number) set.Add(AdmitRecord(1, number));
  EXPECT_TRUE(ViewOf(set).MayAdmit());
  set.Add(AdmitRecord(1, 100));
  EXPECT_FALSE(ViewOf(set).MayAdmit());
  set.Add(AdmitRecord(1, 101));
  EXPECT_EQ(ViewOf(set).members.size(), kMaxMembers + 1);
  EXPECT_FALSE(ViewOf(set).MayAdmit());
}

TEST(RecordSet, TakesEachRecordOnceAndOnlyOfItsCluster) {
  RecordSet set = SetOf({});
  EXPECT_EQ(set.Add(AdmitRecord(1, 2)), Added::kNew);
  EXPECT_EQ(set.Add(AdmitRecord(1, 2)), Added::kKnown);
  EXPECT_EQ(set.Add(RosterRecord(1, {1})), Added::kNew);
  EXPECT_EQ(set.Add(RosterRecord(1, {1})), Added::kKnown);
  EXPECT_EQ(set.Add(GenesisRecord()), Added::kKnown);
  EXPECT_EQ(set.Add(GenesisRecord(ListedOf(2))), Added::kForeign);
  Admit other = Admission(1, 3);
  other.head.cluster[0] ^= 1;
  EXPECT_EQ(set.Add(Record::Sign(other, KeyOf(1))), Added::kForeign);
  const Session session{.head = Head(), .signer = Identity(1), .number = 1};
  EXPECT_EQ(set.Add(Record::Sign(session, KeyOf(1))), Added::kForeign);
  Roster roster{.head = Head(), .generation = 9, .made_by = Identity(2), .members = {ListedOf(2)}};
  EXPECT_EQ(set.Add(Record::Sign(roster, KeyOf(2))), Added::kForeign) << "signed by a member";
  EXPECT_EQ(ViewOf(set).generation, 1u);
}

TEST(RecordSet, KeepsTheGreatestRostersInAnyOrder) {
  std::vector<Record> rosters;
  for (uint32_t generation = 1; generation <= kMaxRosters + 10; ++generation) {
    rosters.push_back(RosterRecord(generation, {1}));
  }
  const RecordSet up = SetOf(rosters);
  std::ranges::reverse(rosters);
  RecordSet down = SetOf(rosters);
  EXPECT_EQ(up.rosters().size(), kMaxRosters);
  EXPECT_TRUE(std::ranges::equal(
      up.rosters(), down.rosters(), {}, [](const auto& each) { return each.first; },
      [](const auto& each) { return each.first; }));
  EXPECT_EQ(ViewOf(up).generation, kMaxRosters + 10);
  EXPECT_EQ(down.Add(RosterRecord(3, {1})), Added::kFull);
}

TEST(RecordSet, RecordsWithoutEffectGiveWay) {
  RecordSet set = SetOf({AdmitRecord(1, 2), LeaveRecord(2), AdmitRecord(1, 3)});
  for (uint64_t i = 0; i < kMaxRecordsOfSigner; ++i) set.Add(AdmitRecord(9, 8, 0, i));
  EXPECT_EQ(set.others().size(), kMaxRecordsOfSigner + 3);
  EXPECT_EQ(set.Add(AdmitRecord(9, 8, 0, 10'000)), Added::kNew);
  EXPECT_EQ(set.others().size(), 4u) << "none of its chain was in effect";
  EXPECT_EQ(MembersOf(set), (Numbers{1, 3})) << "that 2 has left is in effect";
}

TEST(RecordSet, AFloodExpelsNobodyAndEndsWithARoster) {
  RecordSet set = SetOf({AdmitRecord(1, 2), AdmitRecord(1, 3)});
  constexpr uint8_t kThief = 3;
  for (uint8_t accomplice = 30; accomplice < 38; ++accomplice) set.Add(AdmitRecord(kThief, accomplice));
  for (uint8_t accomplice = 30; accomplice < 38; ++accomplice) {
    for (uint64_t i = 0; i < kMaxRecordsOfSigner; ++i) set.Add(AdmitRecord(accomplice, 40, 0, i));
    EXPECT_LE(set.others().size(), kMaxRecords);
  }
  EXPECT_EQ(set.others().size(), kMaxRecords);
  EXPECT_EQ(set.Add(AdmitRecord(30, 41)), Added::kFull);
  EXPECT_EQ(set.Add(AdmitRecord(1, 4)), Added::kFull);
  EXPECT_EQ(MembersOf(set), (Numbers{1, 2, 3}));
  EXPECT_EQ(set.Add(RosterRecord(1, {1, 2})), Added::kNew);
  EXPECT_EQ(set.Add(AdmitRecord(1, 4, 1)), Added::kNew);
  EXPECT_EQ(MembersOf(set, 60), (Numbers{1, 2, 4}));
}

TEST(RecordSetDeathTest, ClustersAreNotMerged) {
  RecordSet set = SetOf({});
  EXPECT_DEATH(set.Merge(RecordSet(GenesisRecord(ListedOf(2)))), "check failed");
  EXPECT_DEATH(RecordSet(AdmitRecord(1, 2)), "check failed");
}

}  // namespace
}  // namespace qure::admission::test
