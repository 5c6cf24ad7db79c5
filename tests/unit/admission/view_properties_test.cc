// What holds for any records in any order: the laws of the merge, and that a roster expels.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

#include "control/core/admission/view.h"
#include "tests/unit/admission/support.h"

namespace qure::admission::test {
namespace {

std::vector<RecordId> Ids(const RecordSet& set) {
  std::vector<RecordId> ids;
  for (const auto* records : {&set.rosters(), &set.others()}) {
    for (const auto& [id, record] : *records) ids.push_back(id);
  }
  return ids;
}

RecordSet Merged(RecordSet a, const RecordSet& b) {
  a.Merge(b);
  return a;
}

// Sound and unsound chains, of several generations and by anybody.
std::vector<Record> Pool() {
  std::vector<Record> pool = {RosterRecord(1, {1, 2, 3}), RosterRecord(1, {1, 2, 4}), RosterRecord(2, {1, 2, 5}),
                              RosterRecord(2, {2, 3, 5}), RosterRecord(3, {1, 6})};
  for (uint8_t signer = 1; signer <= 7; ++signer) {
    for (uint32_t generation = 0; generation <= 3; ++generation) {
      pool.push_back(AdmitRecord(signer, static_cast<uint8_t>(signer % 7 + 1), generation));
      pool.push_back(AdmitRecord(signer, static_cast<uint8_t>((signer + 2) % 7 + 1), generation));
    }
  }
  for (uint8_t subject = 2; subject <= 7; subject = static_cast<uint8_t>(subject + 2)) {
    pool.push_back(LeaveRecord(subject));
    pool.push_back(ForgetRecord(static_cast<uint8_t>(subject - 1), subject, subject));
  }
  return pool;
}

std::vector<Record> Some(const std::vector<Record>& pool, std::mt19937& random) {
  std::vector<Record> some;
  for (size_t left = random() % 14; left > 0; --left) some.push_back(pool[random() % pool.size()]);
  return some;
}

TEST(RecordSetProperties, MergeIsAUnion) {
  const std::vector<Record> pool = Pool();
  std::mt19937 random(1);
  for (int i = 0; i < 12'000; ++i) {
    const RecordSet a = SetOf(Some(pool, random));
    const RecordSet b = SetOf(Some(pool, random));
    const RecordSet c = SetOf(Some(pool, random));
    const RecordSet ab = Merged(a, b);
    ASSERT_EQ(Ids(ab), Ids(Merged(b, a))) << i;
    ASSERT_EQ(Ids(Merged(ab, c)), Ids(Merged(a, Merged(b, c)))) << i;
    ASSERT_EQ(Ids(Merged(a, a)), Ids(a)) << i;
    ASSERT_EQ(Ids(Merged(ab, b)), Ids(ab)) << i;
  }
}

TEST(ViewProperties, TheViewDoesNotDependOnTheOrder) {
  const std::vector<Record> pool = Pool();
  std::mt19937 random(2);
  std::map<Digest, View> views;
  for (int i = 0; i < 4'000; ++i) {
    std::vector<Record> records = Some(pool, random);
    const View view = ViewOf(SetOf(records));
    for (int again = 0; again < 3; ++again) {
      std::ranges::shuffle(records, random);
      ASSERT_EQ(ViewOf(SetOf(records)), view) << i;
    }
    const auto [known, is_new] = views.emplace(view.digest, view);
    ASSERT_EQ(known->second, view) << "equal digests mean equal views, " << i;
  }
  EXPECT_GT(views.size(), 200u);
}

// What is sent is enough: without the records that have no effect, all is the same.
TEST(ViewProperties, RecordsInEffectMakeTheView) {
  const std::vector<Record> pool = Pool();
  std::mt19937 random(3);
  size_t without = 0;
  for (int i = 0; i < 4'000; ++i) {
    const std::vector<Record> records = Some(pool, random);
    const View view = ViewOf(SetOf(records));
    std::vector<Record> sent;
    std::ranges::copy_if(records, std::back_inserter(sent),
                         [&](const Record& each) { return std::ranges::binary_search(view.in_effect, each.id()); });
    without += records.size() - sent.size();
    ASSERT_EQ(ViewOf(SetOf(sent)), view) << i;
  }
  EXPECT_GT(without, 4'000u);
}

// Honest nodes in partitions, and thieves that hold the identities of some who were admitted. A thief admits
// accomplices, signs for generations of before and to come, and leaves. Operators revoke in any partition.
class Thefts {
 public:
  static constexpr uint8_t kHonest = 4;       // 1 to 4
  static constexpr uint8_t kThieves = 2;      // 5, 6
  static constexpr uint8_t kAccomplices = 3;  // 7 to 9
  static constexpr uint8_t kNewcomers = 3;    // 10 to 12, honest

  explicit Thefts(uint32_t seed) : random_(seed) {
    std::vector<Record> first;
    for (uint8_t number = 2; number <= kHonest + kThieves; ++number) first.push_back(AdmitRecord(1, number));
    nodes_.assign(kHonest, SetOf(first));
  }

  void Step() {
    const size_t node = random_() % nodes_.size();
    const uint32_t generation = ViewOf(nodes_[node]).generation;
    switch (random_() % 8) {
      case 0:
        nodes_[node].Add(Stolen(generation));
        break;
      case 1:
        if (random_() % 2 == 0) nodes_[node].Add(LeaveRecord(AnyThief()));
        nodes_[node].Add(ForgetRecord(AnyThief(), static_cast<uint8_t>(1 + random_() % kHonest), 1));
        break;
      case 2:
        Revoke(node);
        break;
      case 3:
        nodes_[node].Add(AdmitRecord(static_cast<uint8_t>(node + 1), static_cast<uint8_t>(10 + random_() % kNewcomers),
                                     generation, random_() % 3));
        break;
      default:
        nodes_[node].Merge(nodes_[random_() % nodes_.size()]);
    }
  }

  const std::vector<RecordSet>& nodes() const { return nodes_; }

  static bool IsThief(const PublicKey& identity) {
    static const std::set<PublicKey> thieves = [] {
      std::set<PublicKey> all;
      for (uint8_t number = 5; number <= 9; ++number) all.insert(Identity(number));
      return all;
    }();
    return thieves.contains(identity);
  }

 private:
  uint8_t AnyThief() { return static_cast<uint8_t>(5 + random_() % (kThieves + kAccomplices)); }
  Record Stolen(uint32_t generation) {
    const uint32_t claimed = static_cast<uint32_t>(random_() % (generation + 3));
    return AdmitRecord(AnyThief(), AnyThief(), claimed, random_() % 3);
  }
  // The operator leaves out some of those that are not honest.
  void Revoke(size_t node) {
    const View view = ViewOf(nodes_[node]);
    std::vector<uint8_t> stay;
    for (uint8_t number = 1; number <= 12; ++number) {
      const bool out = IsThief(Identity(number)) && random_() % 4 != 0;
      if (view.members.contains(Identity(number)) && !out) stay.push_back(number);
    }
    if (!stay.empty()) nodes_[node].Add(RosterRecord(view.generation + 1, stay, random_() % 100));
  }

  std::mt19937 random_;
  std::vector<RecordSet> nodes_;
};

// Computed apart from ViewOf.
std::set<PublicKey> BaseOf(const RecordSet& set) {
  uint32_t generation = 0;
  for (const auto& [id, record] : set.rosters()) generation = std::max(generation, record.As<Roster>()->generation);
  std::map<PublicKey, size_t> listed;
  size_t rosters = 0;
  for (const auto& [id, record] : set.rosters()) {
    if (record.As<Roster>()->generation != generation) continue;
    ++rosters;
    for (const Listed& each : record.As<Roster>()->members) ++listed[each.identity];
  }
  std::set<PublicKey> base;
  if (rosters == 0) base.insert(Identity(kFounder));
  for (const auto& [identity, count] : listed) {
    if (count == rosters) base.insert(identity);
  }
  return base;
}

TEST(ViewProperties, WhoKnowsARosterHasNobodyItLeftOutUnlessAThiefThatStaysAdmitsThem) {
  int without_thieves = 0;
  int with_thieves = 0;
  for (uint32_t seed = 1; seed <= 250; ++seed) {
    Thefts thefts(seed);
    for (int step = 0; step < 40; ++step) {
      thefts.Step();
      for (const RecordSet& node : thefts.nodes()) {
        if (node.rosters().empty()) continue;
        const std::set<PublicKey> base = BaseOf(node);
        const bool stays = std::ranges::any_of(base, Thefts::IsThief);
        (stays ? with_thieves : without_thieves) += 1;
        // Without what thieves that were not revoked have signed, no thief but these is left.
        RecordSet honest(node.genesis());
        for (const auto& [id, record] : node.rosters()) honest.Add(record);
        for (const auto& [id, record] : node.others()) {
          if (!Thefts::IsThief(record.signer()) || !base.contains(record.signer())) honest.Add(record);
        }
        for (const auto& [identity, member] : ViewOf(honest).members) {
          ASSERT_TRUE(!Thefts::IsThief(identity) || base.contains(identity)) << seed << ", step " << step;
        }
        const View view = ViewOf(node);
        for (const PublicKey& identity : base) {
          ASSERT_TRUE(Thefts::IsThief(identity) || view.members.contains(identity)) << seed << ", step " << step;
        }
      }
    }
  }
  EXPECT_GT(without_thieves, 1000);
  EXPECT_GT(with_thieves, 1000);
}

}  // namespace
}  // namespace qure::admission::test
