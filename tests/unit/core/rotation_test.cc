// How a new session key comes into use, and how one who is revoked is left without it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "control/core/admission/codes.h"
#include "tests/unit/core/peers.h"

namespace qure::test {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr admission::RecoveryCode kCode = {1};

class RotationTest : public testing::Test {
 protected:
  static ClusterConfig Keyed() {
    ClusterConfig config = MakeConfig({{"198.51.100.50/24"}});
    config.network.key = ClusterKey{7};
    return config;
  }
  static std::string NameOfNode(size_t index) { return "n" + std::to_string(index + 1); }

  // Three nodes with records.
  void SetUp() override {
    for (size_t i = 0; i < 3; ++i) lan_.AddNew(NameOfNode(i), Keyed());
    ASSERT_TRUE(lan_.RunUntil([&] { return lan_.status(0).nodes.size() == 3 && Masters() == 1; }));
    ASSERT_TRUE(lan_.at(0).Order(lan_.now(), FoundCluster{.code = kCode}).ok());
    ASSERT_TRUE(
        lan_.RunUntil([&] { return lan_.status(1).roll.nodes.size() == 3 && lan_.status(2).roll.nodes.size() == 3; }));
    lan_.Run(Seconds(1));
  }

  int Masters() {
    int masters = 0;
    for (size_t i = 0; i < lan_.size(); ++i) masters += !lan_.at(i).off && lan_.status(i).role == NodeRole::kMaster;
    return masters;
  }
  size_t Master() {
    for (size_t i = 0; i < lan_.size(); ++i) {
      if (!lan_.at(i).off && lan_.status(i).role == NodeRole::kMaster) return i;
    }
    return 0;
  }
  uint32_t Used(size_t index) { return lan_.status(index).key_in_use; }
  // They use one key, which is another than `old`.
  bool Changed(uint32_t old, const std::vector<size_t>& nodes) {
    return std::ranges::all_of(nodes, [&](size_t each) { return Used(each) != old && Used(each) == Used(nodes[0]); });
  }
  absl::Status Rotate(size_t index) { return lan_.at(index).Order(lan_.now(), RotateKey{}); }
  absl::Status Revoke(size_t by, size_t whom, admission::RecoveryCode code = kCode) {
    return lan_.at(by).Order(lan_.now(),
                             RevokeNodes{.nodes = {*lan_.status(whom).roll.own}, .code = code, .why = "stolen"});
  }
  bool Whole(const std::vector<size_t>& nodes) {
    return std::ranges::all_of(nodes, [&](size_t viewer) {
      const auto rows = lan_.status(viewer).nodes;
      return std::ranges::all_of(nodes, [&](size_t each) {
        const auto row = std::ranges::find(rows, lan_.at(each).id, &NodeRow::node);
        return row != rows.end() && IsPresent(row->state);
      });
    });
  }

  Peers lan_;
};

TEST_F(RotationTest, AllUseTheNewKeyAndNobodyLosesTheMastership) {
  const Term term = lan_.status(0).term;
  const uint32_t old = Used(0);
  ASSERT_TRUE(Rotate(1).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return Changed(old, {0, 1, 2}); }, Milliseconds(400)));
  lan_.Run(Seconds(5));
  EXPECT_EQ(lan_.status(0).term, term);
  EXPECT_TRUE(Whole({0, 1, 2}));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(lan_.at(i).stored.keyring.use, Used(i));
    EXPECT_THAT(lan_.at(i).stored.keyring.keys, SizeIs(2)) << "the one before is accepted for a while";
  }
  lan_.Run(admission::kOldKey);
  for (size_t i = 0; i < 3; ++i) EXPECT_THAT(lan_.at(i).stored.keyring.keys, SizeIs(1));
  EXPECT_EQ(lan_.status(0).term, term);
}

TEST_F(RotationTest, OneAfterAnother) {
  for (size_t i = 0; i < 6; ++i) {
    const uint32_t old = Used(0);
    ASSERT_TRUE(Rotate(i % 3).ok());
    EXPECT_FALSE(Rotate(i % 3).ok()) << "one is on its way";
    ASSERT_TRUE(lan_.RunUntil([&] { return Changed(old, {0, 1, 2}); }, Seconds(1)));
    lan_.Run(Milliseconds(600));
  }
  EXPECT_THAT(lan_.at(0).stored.keyring.keys, SizeIs(2));
}

TEST_F(RotationTest, TwoAtOnceEndWithOneKey) {
  const uint32_t old = Used(0);
  ASSERT_TRUE(Rotate(0).ok());
  ASSERT_TRUE(Rotate(1).ok());
  EXPECT_TRUE(lan_.RunUntil([&] { return Changed(old, {0, 1, 2}) && Whole({0, 1, 2}); }, Seconds(5)));
  lan_.Run(Seconds(3));
  EXPECT_TRUE(Changed(old, {0, 1, 2}) && Whole({0, 1, 2}));
}

// It hears a key that it does not have, and comes for it.
TEST_F(RotationTest, ANodeThatWasAwayGetsIt) {
  const uint32_t old = Used(0);
  lan_.at(2).off = true;
  lan_.Run(Seconds(3));
  ASSERT_TRUE(Rotate(0).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return Changed(old, {0, 1}); }, Seconds(1)));
  lan_.Run(admission::kOldKey + Seconds(1));
  lan_.at(2).off = false;
  EXPECT_TRUE(lan_.RunUntil([&] { return Changed(old, {0, 1, 2}) && Whole({0, 1, 2}); }, Seconds(5)));
}

TEST_F(RotationTest, AfterTwoChangesToo) {
  const uint32_t old = Used(0);
  lan_.at(2).off = true;
  lan_.Run(Seconds(3));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(Rotate(0).ok());
    lan_.Run(Seconds(1));
  }
  lan_.Restart(2, "n3", Keyed());
  EXPECT_TRUE(lan_.RunUntil([&] { return Changed(old, {0, 1, 2}) && Whole({0, 1, 2}); }, Seconds(5)));
}

// They are there, though it cannot open what they say, and they do not answer for a moment.
TEST_F(RotationTest, OneThatHearsAnUnknownKeyBeginsNoEraBesideIt) {
  const uint32_t era = lan_.status(0).era;
  const uint32_t old = Used(0);
  const size_t master = Master();
  const size_t away = (master + 1) % 3;
  const size_t third = (master + 2) % 3;
  lan_.at(away).off = true;
  lan_.Run(Seconds(3));
  ASSERT_TRUE(Rotate(master).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return Changed(old, {master, third}); }, Seconds(1)));
  lan_.Run(admission::kOldKey + Seconds(1));
  lan_.at(master).deaf = lan_.at(third).deaf = true;
  lan_.Restart(away, NameOfNode(away), Keyed());
  lan_.Run(kListen + kListenJitter + Milliseconds(500));
  lan_.at(master).deaf = lan_.at(third).deaf = false;
  ASSERT_TRUE(lan_.RunUntil([&] { return Changed(old, {0, 1, 2}) && Whole({0, 1, 2}); }, Seconds(5)));
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(lan_.status(i).era, era);
  EXPECT_EQ(Masters(), 1);
}

TEST_F(RotationTest, ItIsKeptAcrossARestart) {
  const uint32_t old = Used(0);
  ASSERT_TRUE(Rotate(0).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return Changed(old, {0, 1, 2}); }, Seconds(1)));
  const uint32_t used = Used(0);
  lan_.Restart(1, "n2", Keyed());
  lan_.Run(Seconds(2));
  EXPECT_EQ(Used(1), used);
  EXPECT_TRUE(Whole({0, 1, 2}));
}

TEST_F(RotationTest, KeysAreNotAddedByHandAnyMore) {
  const absl::Status added = lan_.at(0).Order(lan_.now(), AddKey{.id = 9, .key = {9}});
  EXPECT_THAT(std::string(added.message()), HasSubstr("key rotate"));
}

TEST_F(RotationTest, WithoutRecordsItIsDoneByHand) {
  Peers alone;
  alone.Add("n1", Keyed());
  EXPECT_THAT(std::string(alone.at(0).Order(alone.now(), RotateKey{}).message()), HasSubstr("cluster found"));
}

TEST_F(RotationTest, OneThatDoesNotBelongWouldBeCutOff) {
  lan_.Add("n4", Keyed());
  ASSERT_TRUE(lan_.RunUntil([&] { return lan_.status(0).roll.outside.size() == 1; }));
  EXPECT_THAT(std::string(Rotate(0).message()), HasSubstr("n4"));
}

TEST_F(RotationTest, WhoIsRevokedServesNothingAndGetsNoKey) {
  const uint32_t old = Used(0);
  const size_t master = Master();
  const size_t gone = (master + 1) % 3;
  const size_t stays = (master + 2) % 3;
  ASSERT_TRUE(Revoke(master, gone).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return lan_.at(gone).new_boot; }, Milliseconds(300)));
  ASSERT_TRUE(lan_.RunUntil([&] { return Changed(old, {master, stays}); }, Seconds(1)));
  lan_.Run(admission::kSwitchKey + Milliseconds(10));
  for (const size_t each : {master, stays}) {
    EXPECT_THAT(lan_.at(each).stored.keyring.keys, SizeIs(1)) << "the old key opens nothing any more";
    EXPECT_EQ(lan_.status(each).roll.nodes.size(), 2u);
  }
  EXPECT_EQ(Master(), master);
  // With the key in its file, too.
  lan_.Restart(gone, NameOfNode(gone), Keyed());
  lan_.Run(Seconds(5));
  EXPECT_EQ(lan_.status(gone).role, NodeRole::kStandby);
  EXPECT_TRUE(lan_.status(gone).adoption.joining);
  EXPECT_TRUE(lan_.status(gone).roll.expelled);
  EXPECT_TRUE(lan_.at(gone).stored.keyring.keys.empty());
}

TEST_F(RotationTest, AnAdmissionOfBeforeDoesNotBringItBack) {
  const size_t master = Master();
  const size_t gone = (master + 1) % 3;
  const std::string code = admission::CodeOf(*lan_.status(gone).roll.own);
  for (size_t i = 0; i < 3; ++i) ASSERT_TRUE(lan_.at(i).Order(lan_.now(), AdmitNode{.code = code}).ok());
  ASSERT_TRUE(Revoke(master, gone).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return lan_.at(gone).new_boot; }, Milliseconds(300)));
  lan_.Restart(gone, NameOfNode(gone), Keyed());
  lan_.Run(Seconds(5));
  EXPECT_FALSE(lan_.at(gone).new_boot);
  // One of afterwards does.
  ASSERT_TRUE(lan_.at(master).Order(lan_.now(), AdmitNode{.code = code}).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return lan_.at(gone).new_boot; }, Seconds(5)));
  lan_.Restart(gone, NameOfNode(gone), Keyed());
  EXPECT_TRUE(lan_.RunUntil([&] { return Whole({0, 1, 2}); }, Seconds(5)));
}

TEST_F(RotationTest, WhoWasAwayWhileItWasRevokedHearsOfIt) {
  const size_t master = Master();
  const size_t gone = (master + 1) % 3;
  lan_.at(gone).off = true;
  lan_.Run(Seconds(3));
  ASSERT_TRUE(Revoke(master, gone).ok());
  lan_.Run(Seconds(2));
  lan_.at(gone).off = false;
  EXPECT_TRUE(lan_.RunUntil([&] { return lan_.at(gone).new_boot; }, Seconds(5)));
}

TEST_F(RotationTest, WhoStaysAndWasAwayGetsTheRosterAndTheKey) {
  const uint32_t old = Used(0);
  const size_t master = Master();
  const size_t gone = (master + 1) % 3;
  const size_t away = (master + 2) % 3;
  lan_.at(away).off = true;
  lan_.Run(Seconds(3));
  ASSERT_TRUE(Revoke(master, gone).ok());
  lan_.Run(Seconds(2));
  lan_.at(away).off = false;
  ASSERT_TRUE(lan_.RunUntil([&] { return Changed(old, {master, away}) && Whole({master, away}); }, Seconds(5)));
  EXPECT_EQ(lan_.status(away).roll.nodes.size(), 2u);
}

// What it has heard since may be of the one that was expelled, so it is as one that never ran.
TEST_F(RotationTest, WhoLearnsOfARosterLateComesAsANewMember) {
  const uint32_t old = Used(0);
  const size_t master = Master();
  const size_t gone = (master + 1) % 3;
  const size_t away = (master + 2) % 3;
  lan_.at(away).off = lan_.at(gone).off = true;
  lan_.Run(Seconds(3));
  ASSERT_TRUE(Revoke(master, gone).ok());
  lan_.Run(admission::kRosterMissed + Seconds(1));
  // They meet first, and are a cluster of their own.
  const MacAddress master_group = lan_.at(master).group;
  lan_.at(master).off = true;
  lan_.at(away).off = lan_.at(gone).off = false;
  ASSERT_TRUE(lan_.RunUntil([&] { return Whole({away, gone}); }, Seconds(5)));
  lan_.at(gone).off = true;
  lan_.at(master).off = false;
  ASSERT_TRUE(lan_.RunUntil([&] { return lan_.at(away).new_boot; }, Seconds(8)));
  EXPECT_EQ(lan_.at(away).stored.life, StoredLife{});
  EXPECT_THAT(lan_.at(away).stored.keyring.keys, SizeIs(1)) << "not the one that the expelled one has";
  lan_.Restart(away, NameOfNode(away), Keyed());
  ASSERT_TRUE(lan_.RunUntil([&] { return Changed(old, {master, away}) && Whole({master, away}); }, Seconds(5)));
  EXPECT_EQ(lan_.at(master).group, master_group);
}

TEST_F(RotationTest, AllThatAskDoesNotMeanWhoWasRevoked) {
  const size_t master = Master();
  const size_t gone = (master + 1) % 3;
  ASSERT_TRUE(Revoke(master, gone).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return lan_.at(gone).new_boot; }, Milliseconds(300)));
  ASSERT_TRUE(lan_.at(master).Order(lan_.now(), AdmitAll{.lifetime = Seconds(60)}).ok());
  lan_.Restart(gone, NameOfNode(gone), Keyed());
  lan_.Run(Seconds(5));
  EXPECT_FALSE(lan_.at(gone).new_boot);
}

TEST_F(RotationTest, AMasterThatGoesIsNotAsked) {
  const uint32_t old = Used(0);
  const size_t gone = Master();
  const size_t by = (gone + 1) % 3;
  const size_t stays = (gone + 2) % 3;
  ASSERT_TRUE(Revoke(by, gone).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return lan_.at(gone).new_boot; }, Milliseconds(300)));
  ASSERT_TRUE(lan_.RunUntil([&] { return Changed(old, {by, stays}); }, Seconds(3)));
  EXPECT_EQ(lan_.status(stays).roll.nodes.size(), 2u);
}

TEST_F(RotationTest, OnlyTheRecoveryCodeExpels) {
  const size_t master = Master();
  const absl::Status wrong = Revoke(master, (master + 1) % 3, {2});
  EXPECT_EQ(wrong.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(lan_.status(master).roll.generation, 0u);
  EXPECT_FALSE(Revoke(master, master).ok());
  EXPECT_FALSE(Revoke((master + 1) % 3, (master + 2) % 3).ok()) << "at the master alone";
  lan_.Run(Seconds(1));
  EXPECT_EQ(lan_.status(0).roll.nodes.size(), 3u);
}

}  // namespace
}  // namespace qure::test
