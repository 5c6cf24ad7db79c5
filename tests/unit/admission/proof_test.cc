// That an offerer is a member: proofs, made and judged, and records on their way to a candidate.
#include "control/core/admission/proof.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <variant>
#include <vector>

#include "control/core/admission/welcome.h"
#include "tests/unit/admission/support.h"

namespace qure::admission::test {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes ProofOf(const RecordSet& set, uint8_t number) {
  const auto proof = ProofFor(set, ViewOf(set), Identity(number));
  EXPECT_TRUE(proof) << int{number};
  return proof.value_or(Bytes());
}
Bytes ListOf(const std::vector<Record>& records) {
  Bytes list;
  for (const Record& record : records) AppendRecord(record, &list);
  return list;
}
bool Holds(const Bytes& proof, uint8_t number) {
  return std::holds_alternative<RecordSet>(JudgeProof(proof, Identity(number)));
}
ProofFault FaultOf(const Bytes& proof, uint8_t number) {
  const auto judged = JudgeProof(proof, Identity(number));
  const auto* fault = std::get_if<ProofFault>(&judged);
  EXPECT_NE(fault, nullptr) << "it holds";
  return fault == nullptr ? ProofFault{} : *fault;
}

TEST(Proof, OfTheFounderIsTheGenesis) {
  const Bytes proof = ProofOf(SetOf({AdmitRecord(1, 2)}), 1);
  EXPECT_EQ(proof, ListOf({GenesisRecord()}));
  EXPECT_TRUE(Holds(proof, 1));
  EXPECT_FALSE(Holds(proof, 2));
}

TEST(Proof, HasTheShortestChainAndNothingElse) {
  const RecordSet set =
      SetOf({AdmitRecord(1, 2), AdmitRecord(2, 3), AdmitRecord(3, 4), AdmitRecord(1, 3), AdmitRecord(1, 5)});
  const Bytes proof = ProofOf(set, 4);
  EXPECT_EQ(RecordsIn(proof), 3u) << "genesis, 1 admits 3, 3 admits 4";
  EXPECT_TRUE(Holds(proof, 4));
  EXPECT_EQ(std::get<RecordSet>(JudgeProof(proof, Identity(4))).cluster(), set.cluster());
}

TEST(Proof, HasAllRostersOfTheGreatestGeneration) {
  const RecordSet set = SetOf({AdmitRecord(1, 2), RosterRecord(1, {1, 2}), RosterRecord(2, {1, 2, 3}),
                               RosterRecord(2, {2, 3, 4}), AdmitRecord(2, 5, 2)});
  const Bytes proof = ProofOf(set, 5);
  EXPECT_EQ(RecordsIn(proof), 4u);
  EXPECT_TRUE(Holds(proof, 5));
  EXPECT_TRUE(Holds(proof, 2));
  EXPECT_FALSE(Holds(proof, 1)) << "one of the rosters left it out";
  EXPECT_FALSE(ProofFor(set, ViewOf(set), Identity(1)));
}

TEST(Proof, WhatIsForgedDoesNotHold) {
  const Record genesis = GenesisRecord();
  EXPECT_EQ(FaultOf({}, 1), ProofFault::kUnsound);
  EXPECT_EQ(FaultOf(ListOf({AdmitRecord(1, 2)}), 2), ProofFault::kUnsound) << "no genesis";
  EXPECT_EQ(FaultOf(ListOf({genesis, genesis}), 1), ProofFault::kRecord);
  EXPECT_EQ(FaultOf(ListOf({genesis, AdmitRecord(1, 2), AdmitRecord(1, 2)}), 2), ProofFault::kRecord);
  EXPECT_EQ(FaultOf(ListOf({genesis, AdmitRecord(3, 2)}), 2), ProofFault::kNoMember) << "by one who is no member";
  EXPECT_EQ(FaultOf(ListOf({genesis, AdmitRecord(1, 2), LeaveRecord(2)}), 2), ProofFault::kNoMember);

  Roster roster = *RosterRecord(1, {6}).As<Roster>();
  const Record by_member = Record::Sign(roster, KeyOf(6));  // as if its key were the recovery key
  EXPECT_EQ(FaultOf(ListOf({genesis, by_member}), 6), ProofFault::kRecord);

  const Record foreign = GenesisRecord(ListedOf(6), 251);
  EXPECT_EQ(FaultOf(ListOf({foreign, AdmitRecord(6, 2)}), 2), ProofFault::kRecord) << "of another cluster";

  Bytes changed = ListOf({genesis, AdmitRecord(1, 2)});
  changed.back() ^= 1;
  EXPECT_EQ(FaultOf(changed, 2), ProofFault::kRecord);
  changed.pop_back();
  EXPECT_EQ(FaultOf(changed, 2), ProofFault::kUnsound);
  EXPECT_EQ(FaultOf(Bytes(kMaxProof + 1), 1), ProofFault::kUnsound);
}

TEST(Proof, OneTooLongIsNotMade) {
  RecordSet set = SetOf({});
  std::vector<uint8_t> all(kMaxMembers);
  for (uint8_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint8_t>(i + 1);
  for (uint64_t time = 0; time < 18; ++time) set.Add(RosterRecord(1, all, time));
  EXPECT_TRUE(ProofFor(set, ViewOf(set), Identity(1)));
  for (uint64_t time = 18; time < 22; ++time) set.Add(RosterRecord(1, all, time));
  EXPECT_FALSE(ProofFor(set, ViewOf(set), Identity(1)));
}

TEST(ProofParts, AreTakenInAnyOrder) {
  Bytes proof(2 * kProofPart + 5);
  for (size_t i = 0; i < proof.size(); ++i) proof[i] = static_cast<uint8_t>(i * 7);
  std::vector<ProofMessage> parts = PartsOf(proof, {1});
  ASSERT_EQ(parts.size(), 3u);
  ProofParts taken(proof.size(), ProofDigest(proof));
  EXPECT_EQ(taken.missing(), 0b111u);
  taken.Take(parts[2]);
  taken.Take(parts[0]);
  EXPECT_EQ(taken.missing(), 0b010u);
  ProofMessage strange = parts[1];
  strange.total = 4;
  taken.Take(strange);
  EXPECT_EQ(taken.missing(), 0b010u) << "of a proof of another size";
  taken.Take(parts[1]);
  EXPECT_EQ(taken.missing(), 0u);
  EXPECT_TRUE(std::ranges::equal(taken.bytes(), proof));
}

TEST(ProofParts, AWholeThatIsNotThePinnedOneIsDropped) {
  const Bytes proof(kProofPart + 5, 3);
  std::vector<ProofMessage> parts = PartsOf(proof, {1});
  ProofParts taken(proof.size(), ProofDigest(proof));
  ProofMessage forged = parts[1];
  forged.part[0] ^= 1;
  taken.Take(forged);
  taken.Take(parts[0]);
  EXPECT_EQ(taken.missing(), 0b11u);
  for (const ProofMessage& part : parts) taken.Take(part);
  EXPECT_EQ(taken.missing(), 0u);
}

TEST(ProofParts, TheMostThatThereAre) {
  const Bytes proof(kMaxProof, 3);
  ProofParts taken(proof.size(), ProofDigest(proof));
  for (const ProofMessage& part : PartsOf(proof, {1})) taken.Take(part);
  EXPECT_EQ(taken.missing(), 0u);
}

// A set whose records need several windows.
RecordSet LongSet() {
  std::vector<uint8_t> all(40);
  for (uint8_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint8_t>(i + 1);
  RecordSet set = SetOf({RosterRecord(1, all), RosterRecord(1, all, 1)});
  for (int i = 0; i < 50; ++i) set.Add(AdmitRecord(static_cast<uint8_t>(1 + i % 40), static_cast<uint8_t>(41 + i), 1));
  return set;
}

TEST(RecordTransfer, BringsTheViewInWindows) {
  const RecordSet set = LongSet();
  RecordSender sender(set, ViewOf(set));
  RecordCollector collector{RecordSet(set.genesis())};
  size_t rounds = 0;
  for (auto range = sender.OnReceipt(0); range.begin < range.end; range = sender.OnReceipt(collector.count())) {
    EXPECT_LE(range.end - collector.count(), kRecordsWindow);
    for (uint32_t index = range.end; index-- > range.begin;) ASSERT_TRUE(collector.Take(index, sender.Part(index)));
    ++rounds;
  }
  EXPECT_GE(rounds, 2u);
  EXPECT_TRUE(sender.done());
  EXPECT_TRUE(collector.complete());
  EXPECT_EQ(ViewOf(collector.records()), ViewOf(set));
}

TEST(RecordTransfer, AnEmptySetIsOnePart) {
  const RecordSet set = SetOf({});
  RecordSender sender(set, ViewOf(set));
  RecordCollector collector{set};
  EXPECT_FALSE(sender.done());
  const auto range = sender.OnReceipt(0);
  EXPECT_EQ(range.end - range.begin, 1u);
  EXPECT_TRUE(collector.Take(0, sender.Part(0)));
  EXPECT_TRUE(collector.complete());
  sender.OnReceipt(1);
  EXPECT_TRUE(sender.done());
}

TEST(RecordTransfer, AReceiptOfWhatWasNotSentIsIgnored) {
  const RecordSet set = LongSet();
  RecordSender sender(set, ViewOf(set));
  sender.OnReceipt(0);
  sender.OnReceipt(1'000);
  EXPECT_EQ(sender.Unacknowledged().begin, 0u);
  EXPECT_FALSE(sender.done());
}

TEST(RecordTransfer, WhatDoesNotHoldIsNotTaken) {
  const RecordSet genesis = SetOf({});
  const auto part = [](uint16_t total, const Bytes& list) {
    Bytes plain(2 + list.size());
    plain[0] = static_cast<uint8_t>(total >> 8);
    plain[1] = static_cast<uint8_t>(total);
    std::ranges::copy(list, plain.begin() + 2);
    return plain;
  };
  const Bytes good = ListOf({AdmitRecord(1, 2)});
  EXPECT_TRUE(RecordCollector{genesis}.Take(0, part(1, good)));
  Bytes forged = good;
  forged.back() ^= 1;
  EXPECT_FALSE(RecordCollector{genesis}.Take(0, part(1, forged)));
  Bytes cut = good;
  cut.pop_back();
  EXPECT_FALSE(RecordCollector{genesis}.Take(0, part(1, cut))) << "a record without its end";
  EXPECT_FALSE(RecordCollector{genesis}.Take(0, part(2, good))) << "a first part that is not full";
  EXPECT_FALSE(RecordCollector{genesis}.Take(1, part(1, good)));
  EXPECT_FALSE(RecordCollector{genesis}.Take(0, part(0, good)));
  EXPECT_FALSE(RecordCollector{genesis}.Take(0, Bytes{0}));
  EXPECT_FALSE(RecordCollector{genesis}.Take(0, part(1, Bytes(kRecordsPart + 1))));
  EXPECT_FALSE(RecordCollector{RecordSet(GenesisRecord(ListedOf(1), 251))}.Take(0, part(1, good)))
      << "of another cluster";
  RecordCollector two{genesis};
  EXPECT_TRUE(two.Take(1, part(3, Bytes(kRecordsPart))));
  EXPECT_FALSE(two.Take(0, part(2, Bytes(kRecordsPart)))) << "of another number of parts";
}

TEST(Welcome, IsReadAsItWasWritten) {
  const RecordSet set = SetOf({AdmitRecord(1, 2)});
  SessionKeys keys;
  keys.Follow(ViewOf(set), Identity(1), MonoTime{1});
  const auto grant = keys.Make(KeyOf(1), Head(), {9}, 5);
  const Welcome welcome{
      .admit = AdmitRecord(1, 2),
      .grants = {*grant, *grant},
      .rosters = ViewOf(set).rosters,
      .lineage = 7,
      .era = 8,
      .port = 9,
      .group = {{239, 192, 1, 2}},
      .sources = {
          {.node = {1}, .mac = {{2, 0, 0, 0, 0, 1}}, .address = {{192, 0, 2, 1}}}, {.node = {2}}, {.node = {3}}}};
  const Bytes bytes = WriteWelcome(welcome);
  EXPECT_LE(bytes.size() + kSealTag, kMaxSealed);
  const auto read = ReadWelcome(bytes, Identity(kRecovery));
  ASSERT_TRUE(read);
  EXPECT_EQ(WriteWelcome(*read), bytes);
  EXPECT_EQ(read->sources, welcome.sources);
  EXPECT_EQ(read->grants.size(), 2u);
  EXPECT_EQ(read->era, 8u);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(ReadWelcome(ConstBytes(bytes).first(size), Identity(kRecovery))) << size;
  }
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(ReadWelcome(longer, Identity(kRecovery)));
  Bytes forged = bytes;
  forged[10] ^= 1;
  EXPECT_FALSE(ReadWelcome(forged, Identity(kRecovery))) << "a record that its signer did not sign";
}

}  // namespace
}  // namespace qure::admission::test
