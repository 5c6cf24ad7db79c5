// Which session keys are taken, used, handed on and made: one by one, and in clusters with revoked nodes.
#include "control/core/admission/session_keys.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

#include "tests/unit/admission/support.h"

namespace qure::admission::test {
namespace {

constexpr MonoTime kNow{1'000'000'000};

ClusterKey SecretOf(uint32_t key_id) {
  return {static_cast<uint8_t>(key_id), static_cast<uint8_t>(key_id >> 8), 1};
}
SessionGrant Grant(uint8_t signer, const View& view, uint64_t number, uint32_t key_id) {
  const Session session{.head = Head(),
                        .signer = Identity(signer),
                        .key_id = key_id,
                        .number = number,
                        .rosters = view.rosters,
                        .key = DigestOf(SecretOf(key_id))};
  return {Record::Sign(session, KeyOf(signer)), SecretOf(key_id)};
}
std::vector<uint32_t> CleanIds(const SessionKeys& keys) {
  std::vector<uint32_t> ids;
  for (const SessionGrant& grant : keys.clean()) ids.push_back(grant.session().key_id);
  return ids;
}
using Ids = std::vector<uint32_t>;

class SessionKeysTest : public ::testing::Test {
 protected:
  SessionKeysTest() { Follow(kNow); }

  void Follow(MonoTime now) {
    view_ = ViewOf(records_);
    keys_.Follow(view_, Identity(1), now);
  }

  RecordSet records_ = SetOf({AdmitRecord(1, 2), AdmitRecord(1, 3)});
  View view_;
  SessionKeys keys_;
};

TEST_F(SessionKeysTest, TheGreatestOfTwoIsToSeal) {
  EXPECT_EQ(keys_.seals(), nullptr);
  EXPECT_TRUE(keys_.Take(Grant(2, view_, 4, 70)));
  EXPECT_TRUE(keys_.Take(Grant(3, view_, 5, 20)));
  EXPECT_EQ(keys_.seals()->session().key_id, 20u);
  EXPECT_TRUE(keys_.Take(Grant(1, view_, 5, 21)));
  EXPECT_EQ(CleanIds(keys_), (Ids{21, 20})) << "of one number, the greater id";
  EXPECT_FALSE(keys_.Take(Grant(2, view_, 4, 71))) << "older than those that are kept";
  EXPECT_TRUE(keys_.Take(Grant(1, view_, 5, 21))) << "it is here";
  EXPECT_EQ(CleanIds(keys_), (Ids{21, 20}));
}

TEST_F(SessionKeysTest, KeysOfOthersAreNotTaken) {
  EXPECT_FALSE(keys_.Take(Grant(4, view_, 1, 10))) << "signed by one who is no member";
  View other = view_;
  other.rosters[0] ^= 1;
  EXPECT_FALSE(keys_.Take(Grant(2, other, 1, 10))) << "of other rosters";
  SessionGrant exchanged = Grant(2, view_, 1, 10);
  exchanged.key[5] ^= 1;
  EXPECT_FALSE(keys_.Take(exchanged)) << "another key than its record says";
  EXPECT_FALSE(keys_.Take({AdmitRecord(1, 2), SecretOf(1)}));
  EXPECT_FALSE(keys_.Take(Grant(2, view_, kSessionNumberLimit, 10)));
  EXPECT_EQ(keys_.seals(), nullptr);
  EXPECT_TRUE(keys_.Take(Grant(2, view_, kSessionNumberLimit - 1, 10)));
  EXPECT_FALSE(keys_.Take(Grant(3, view_, 1, 10))) << "the id stands for another key";
}

TEST_F(SessionKeysTest, ARosterMakesAllKeysUnclean) {
  const SessionGrant before = Grant(2, view_, 4, 70);
  keys_.Take(before);
  records_.Add(RosterRecord(1, {1, 2}));
  Follow(kNow);
  EXPECT_EQ(keys_.seals(), nullptr) << "not used";
  EXPECT_TRUE(keys_.clean().empty()) << "not handed on";
  EXPECT_FALSE(keys_.Take(before)) << "not taken";
  EXPECT_TRUE(keys_.Take(Grant(2, view_, 1, 71)));
}

TEST_F(SessionKeysTest, AKeyWhoseSignerIsOutIsUnclean) {
  keys_.Take(Grant(2, view_, 4, 70));
  keys_.Take(Grant(3, view_, 3, 60));
  records_.Add(LeaveRecord(2));
  Follow(kNow);
  EXPECT_EQ(CleanIds(keys_), Ids{60});
  EXPECT_EQ(keys_.make_at(), kNever);
}

TEST_F(SessionKeysTest, WithoutACleanKeyOneIsMadeByRank) {
  std::vector<int64_t> delays;
  for (const auto& [identity, member] : view_.members) {
    SessionKeys keys;
    keys.Follow(view_, identity, kNow);
    delays.push_back((keys.make_at() - kNow).ns);
  }
  const int64_t first = kMakeKeyAfter.ns;
  EXPECT_EQ(delays, (std::vector<int64_t>{first, first + kMakeKeySpread.ns / 2, first + kMakeKeySpread.ns}));
  SessionKeys stranger;
  stranger.Follow(view_, Identity(9), kNow);
  EXPECT_EQ(stranger.make_at(), kNever);
  RecordSet alone = SetOf({});
  stranger.Follow(ViewOf(alone), Identity(1), kNow);
  EXPECT_EQ(stranger.make_at(), kNow + kMakeKeyAfter);
}

TEST_F(SessionKeysTest, AKeyIsMadeAfterTwoRostersMet) {
  records_.Add(RosterRecord(1, {1, 2, 3}));
  Follow(kNow);
  keys_.Take(Grant(2, view_, 4, 70));
  EXPECT_EQ(keys_.make_at(), kNever);
  records_.Add(RosterRecord(1, {1, 2, 3}, 8));
  Follow(kNow + Seconds(5));
  ASSERT_GE(keys_.make_at(), kNow + Seconds(5) + kMakeKeyAfter);
  ASSERT_LE(keys_.make_at(), kNow + Seconds(5) + kMakeKeyAfter + kMakeKeySpread);
  const MonoTime planned = keys_.make_at();
  records_.Add(AdmitRecord(1, 4, 1));
  Follow(planned + Seconds(1));
  EXPECT_EQ(keys_.make_at(), planned) << "not put off by what else is learned";

  const auto made = keys_.Make(KeyOf(1), Head(), SecretOf(99), 99);
  ASSERT_TRUE(made);
  EXPECT_EQ(keys_.seals(), nullptr) << "not before it is durable";
  EXPECT_TRUE(keys_.Take(*made));
  EXPECT_EQ(keys_.seals()->record.id(), made->record.id());
  EXPECT_EQ(keys_.make_at(), kNever);
}

TEST_F(SessionKeysTest, ARotationIsTheNextNumberUnderAFreeId) {
  keys_.Take(Grant(2, view_, 4, 70));
  EXPECT_EQ(keys_.Make(KeyOf(1), Head(), SecretOf(70), 70), std::nullopt);
  const auto made = keys_.Make(KeyOf(1), Head(), SecretOf(5), 5);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->session().number, 5u);
  EXPECT_TRUE(keys_.Take(*made));
  EXPECT_EQ(CleanIds(keys_), (Ids{5, 70}));

  keys_.Take(Grant(2, view_, kSessionNumberLimit - 1, 71));
  EXPECT_EQ(keys_.Make(KeyOf(1), Head(), SecretOf(6), 6), std::nullopt);
  records_.Add(RosterRecord(1, {1, 3}));
  Follow(kNow);
  ASSERT_TRUE(keys_.Make(KeyOf(1), Head(), SecretOf(6), 6));
  EXPECT_EQ(keys_.Make(KeyOf(1), Head(), SecretOf(6), 6)->session().number, 1u);
}

// Nodes that renew with each other in partitions, and nodes that the operator revokes in any of them. A revoked one
// asks and offers all it can, to all who do not know.
class Renewals {
 public:
  static constexpr uint8_t kHonest = 4;  // 1 to 4; 5 and 6 are stolen
  static constexpr uint8_t kAll = 6;

  explicit Renewals(uint32_t seed) : random_(seed) {
    std::vector<Record> first;
    for (uint8_t number = 2; number <= kAll; ++number) first.push_back(AdmitRecord(1, number));
    for (uint8_t number = 1; number <= kAll; ++number) nodes_.push_back({.number = number, .records = SetOf(first)});
    for (Node& node : nodes_) Follow(&node);
    MakeDue(&nodes_[0], true);
    for (Node& node : nodes_) Renew(&node, nodes_[0]);
  }

  void Step() {
    now_ = now_ + Milliseconds(random_() % 40);
    Node& node = Any(kHonest);
    switch (random_() % 10) {
      case 0:
        Revoke(&node);
        break;
      case 1:
        MakeDue(&node, true);
        break;
      case 2:
        node.records.Merge(Any(kHonest).records);
        Follow(&node);
        break;
      case 3:
      case 4:
        Steal(&nodes_[kHonest + random_() % 2], node);
        break;
      case 5:
        Offer(nodes_[kHonest + random_() % 2], &node);
        break;
      default:
        Renew(&node, Any(kHonest));
    }
    for (Node& each : nodes_) MakeDue(&each, false);
    Check();
  }

  // All partitions meet: all honest nodes seal with one key.
  void Settle() {
    for (int round = 0; round < 30; ++round) {
      now_ = now_ + Milliseconds(20);
      for (Node& node : nodes_) {
        if (node.number <= kHonest) {
          for (const Node& other : nodes_) {
            if (other.number <= kHonest) Renew(&node, other);
          }
          MakeDue(&node, false);
        }
      }
      Check();
    }
    const SessionGrant* first = nodes_[0].keys.seals();
    ASSERT_NE(first, nullptr);
    for (uint8_t number = 2; number <= kHonest; ++number) {
      ASSERT_NE(nodes_[number - 1].keys.seals(), nullptr);
      ASSERT_EQ(nodes_[number - 1].keys.seals()->record.id(), first->record.id()) << int{number};
    }
  }

  size_t made_without_a_thief() const { return made_without_.size(); }
  size_t stolen() const { return stolen_; }

 private:
  struct Node {
    uint8_t number;
    RecordSet records;
    SessionKeys keys;
    std::map<RecordId, SessionGrant> known;  // what a stolen node has ever learned
  };

  Node& Any(size_t of) { return nodes_[random_() % of]; }
  void Follow(Node* node) { node->keys.Follow(ViewOf(node->records), Identity(node->number), now_); }

  void MakeDue(Node* node, bool rotate) {
    const View view = ViewOf(node->records);
    if (!rotate && node->keys.make_at() > now_) return;
    if (!view.members.contains(Identity(node->number))) return;
    const uint32_t id = ++last_id_;
    const auto made = node->keys.Make(KeyOf(node->number), Head(), SecretOf(id), id);
    ASSERT_TRUE(made);
    ASSERT_TRUE(node->keys.Take(*made));
    for (uint8_t thief = kHonest + 1; thief <= kAll; ++thief) {
      const bool without = node->number <= kHonest && !view.members.contains(Identity(thief));
      if (without) made_without_.emplace(thief, made->record.id());
    }
    if (node->number > kHonest) node->known.emplace(made->record.id(), *made);
  }

  // The one who is asked gives its records and then its keys, if the other is a member for it.
  void Renew(Node* node, const Node& asked) {
    if (!ViewOf(asked.records).members.contains(Identity(node->number))) return;
    node->records.Merge(asked.records);
    Follow(node);
    for (const SessionGrant& grant : asked.keys.clean()) node->keys.Take(grant);
  }
  void Steal(Node* thief, const Node& asked) {
    if (!ViewOf(asked.records).members.contains(Identity(thief->number))) return;
    for (const SessionGrant& grant : asked.keys.clean()) {
      stolen_ += thief->known.emplace(grant.record.id(), grant).second ? 1 : 0;
      if (random_() % 2 == 0) thief->keys.Take(grant);
    }
  }
  // Old keys, and new ones that it signs for the rosters of whom it deceives.
  void Offer(const Node& thief, Node* deceived) {
    const View view = ViewOf(deceived->records);
    for (const auto& [id, grant] : thief.known) deceived->keys.Take(grant);
    deceived->keys.Take(Grant(thief.number, view, random_() % 9 + 1, ++last_id_));
  }
  void Revoke(Node* node) {
    const View view = ViewOf(node->records);
    std::vector<uint8_t> stay;
    for (uint8_t number = 1; number <= kAll; ++number) {
      if (number > kHonest && random_() % 2 == 0) continue;
      if (view.members.contains(Identity(number))) stay.push_back(number);
    }
    node->records.Add(RosterRecord(view.generation + 1, stay, random_() % 1000));
    Follow(node);
  }

  void Check() const {
    for (const Node& node : nodes_) {
      if (node.number <= kHonest) {
        const View view = ViewOf(node.records);
        for (const SessionGrant& grant : node.keys.clean()) {
          ASSERT_EQ(grant.session().rosters, view.rosters) << int{node.number};
          ASSERT_TRUE(view.members.contains(grant.session().signer)) << int{node.number};
        }
      }
      for (const auto& [id, grant] : node.known) {
        ASSERT_FALSE(made_without_.contains({node.number, id})) << "revoked " << int{node.number} << " has a key";
      }
    }
  }

  std::mt19937 random_;
  std::vector<Node> nodes_;
  MonoTime now_ = kNow;
  uint32_t last_id_ = 0;
  size_t stolen_ = 0;
  std::set<std::pair<uint8_t, RecordId>> made_without_;  // a stolen node, and a key that was made without it
};

TEST(SessionKeysProperties, ARevokedNodeLearnsNoKeyMadeWithoutItAndTheOthersAgree) {
  size_t made = 0;
  size_t stolen = 0;
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    Renewals renewals(seed);
    for (int step = 0; step < 40; ++step) renewals.Step();
    renewals.Settle();
    made += renewals.made_without_a_thief();
    stolen += renewals.stolen();
    ASSERT_FALSE(::testing::Test::HasFatalFailure()) << "seed " << seed;
  }
  EXPECT_GT(made, 1000u);
  EXPECT_GT(stolen, 300u);
}

}  // namespace
}  // namespace qure::admission::test
