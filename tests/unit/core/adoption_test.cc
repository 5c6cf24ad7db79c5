// How a node without a key joins: named on a member, by the frames between them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "control/core/admission/codes.h"
#include "tests/unit/core/peers.h"

namespace qure::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class AdoptionTest : public testing::Test {
 protected:
  static ClusterConfig Keyed() {
    ClusterConfig config = MakeConfig({{"198.51.100.50/24"}});
    config.network.key = ClusterKey{7};
    return config;
  }
  static ClusterConfig Joining() {
    ClusterConfig config = MakeConfig({{"198.51.100.50/24"}});
    config.network.join = JoinConfig{};
    return config;
  }

  // n1 and n2 are a cluster with records, n3 has no key.
  void SetUp() override {
    lan_.Add("n1", Keyed());
    lan_.Add("n2", Keyed());
    ASSERT_TRUE(lan_.RunUntil([&] { return lan_.status(0).nodes.size() == 2 && lan_.status(1).nodes.size() == 2; }));
    ASSERT_TRUE(lan_.at(0).Order(lan_.now(), FoundCluster{.code = {1}}).ok());
    ASSERT_TRUE(lan_.RunUntil([&] { return lan_.status(1).roll.nodes.size() == 2; }));
    lan_.AddNew("n3", Joining());
  }

  std::string CodeOfN3() { return admission::CodeOf(*lan_.status(2).roll.own); }
  absl::Status Admit(size_t node, const std::string& code) {
    return lan_.at(node).Order(lan_.now(), AdmitNode{.code = code});
  }
  bool Listed(size_t node) { return !lan_.status(node).adoption.candidates.empty(); }
  bool IsMember() {
    return lan_.status(2).clustered && lan_.status(2).nodes.size() == 3 && lan_.status(0).nodes.size() == 3;
  }
  // It has its key, and starts again.
  bool TakenIn(Duration within = Seconds(3)) {
    if (!lan_.RunUntil([&] { return lan_.at(2).new_boot; }, within)) return false;
    lan_.Restart(2, "n3", Joining());
    return lan_.RunUntil([&] { return IsMember(); }, Seconds(3));
  }

  Peers lan_;
};

TEST_F(AdoptionTest, ANodeThatWaitsIsListedAndServesNothing) {
  ASSERT_TRUE(lan_.RunUntil([&] { return Listed(0) && Listed(1); }, Seconds(3)));
  const admission::ListedCandidate listed = lan_.status(0).adoption.candidates.at(0);
  EXPECT_EQ(listed.name, "n3");
  EXPECT_EQ(admission::CodeOf(admission::FingerprintOf(listed.identity)), CodeOfN3());
  lan_.Run(Seconds(5));
  EXPECT_EQ(lan_.status(2).role, NodeRole::kStandby);
  EXPECT_TRUE(lan_.status(2).adoption.joining);
  EXPECT_FALSE(lan_.at(2).new_boot) << "nobody has named it";
  EXPECT_TRUE(lan_.at(2).stored.keyring.keys.empty());
}

TEST_F(AdoptionTest, NamedByItsCodeItIsAMember) {
  ASSERT_TRUE(lan_.RunUntil([&] { return Listed(0); }, Seconds(3)));
  ASSERT_TRUE(Admit(0, CodeOfN3()).ok());
  ASSERT_TRUE(TakenIn());
  EXPECT_TRUE(
      lan_.RunUntil([&] { return lan_.status(2).roll.nodes.size() == 3 && lan_.status(1).roll.nodes.size() == 3; }));
  EXPECT_THAT(lan_.status(0).roll.outside, IsEmpty());
  EXPECT_THAT(lan_.status(0).adoption.candidates, IsEmpty());
  EXPECT_THAT(lan_.at(2).stored.keyring.keys, SizeIs(1));
}

TEST_F(AdoptionTest, NamedBeforeItIsHeard) {
  lan_.at(2).off = true;
  ASSERT_TRUE(Admit(1, CodeOfN3()).ok());
  lan_.Run(Seconds(2));
  lan_.at(2).off = false;
  EXPECT_TRUE(TakenIn());
}

// It need not be the founder, nor lead.
TEST_F(AdoptionTest, OnAnyMember) {
  const size_t follower = lan_.status(0).role == NodeRole::kMaster ? 1 : 0;
  ASSERT_TRUE(Admit(follower, CodeOfN3()).ok());
  EXPECT_TRUE(TakenIn());
}

TEST_F(AdoptionTest, AnotherCodeTakesNobodyIn) {
  EXPECT_EQ(Admit(0, "0000").code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(Admit(0, "0000-0000-0000").ok());
  lan_.Run(Seconds(5));
  EXPECT_FALSE(lan_.at(2).new_boot);
}

TEST_F(AdoptionTest, ANodeThatWantsAnotherClusterDoesNotCome) {
  ClusterConfig config = Joining();
  config.network.join->cluster = admission::Fingerprint{9};
  lan_.Restart(2, "n3", config);
  ASSERT_TRUE(Admit(0, CodeOfN3()).ok());
  lan_.Run(Seconds(5));
  EXPECT_FALSE(lan_.at(2).new_boot);
  config.network.join->cluster = lan_.status(0).roll.cluster;
  lan_.Restart(2, "n3", config);
  EXPECT_TRUE(TakenIn());
}

TEST_F(AdoptionTest, ANodeThatIsInAClusterOfAnotherNameDoesNotCome) {
  ClusterConfig config = Joining();
  config.name = "other";
  lan_.Restart(2, "n3", config);
  ASSERT_TRUE(Admit(0, CodeOfN3()).ok());
  lan_.Run(Seconds(5));
  EXPECT_FALSE(lan_.at(2).new_boot);
}

TEST_F(AdoptionTest, ANodeWhoseFileNamesNoClusterComesToAnyThatNamesIt) {
  ClusterConfig config = Joining();
  config.name = "unnamed";
  config.network.join->any_name = true;
  lan_.Restart(2, "n3", config);
  ASSERT_TRUE(Admit(0, CodeOfN3()).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return lan_.at(2).new_boot; }, Seconds(5)));
  ASSERT_TRUE(lan_.at(2).stored.joined);
  const ClusterConfig cluster = Keyed();
  EXPECT_EQ(lan_.at(2).stored.joined->name, cluster.name);
  EXPECT_EQ(lan_.at(2).stored.joined->port, cluster.network.port);
  EXPECT_EQ(lan_.at(2).stored.joined->id, cluster.id());
  EXPECT_EQ(lan_.at(2).stored.joined->group, GroupFor(cluster.id()));
  EXPECT_EQ(lan_.at(2).stored.joined->first, "");
  lan_.Restart(2, "n3", Joining());
  EXPECT_TRUE(lan_.RunUntil([&] { return IsMember(); }, Seconds(3)));
}

TEST_F(AdoptionTest, AllThatAskAreTakenInForAWhile) {
  ASSERT_TRUE(lan_.at(0).Order(lan_.now(), AdmitAll{.lifetime = Seconds(60)}).ok());
  EXPECT_EQ(lan_.status(0).adoption.all_until, lan_.now() + Seconds(60));
  EXPECT_TRUE(TakenIn());
  lan_.AddNew("n4", Joining());
  ASSERT_TRUE(lan_.at(0).Order(lan_.now(), AdmitAll{}).ok());
  lan_.Run(Seconds(5));
  EXPECT_FALSE(lan_.at(3).new_boot) << "it was ended";
}

TEST_F(AdoptionTest, AllThatAskAreTakenInWhereTheConfigurationSaysSo) {
  ClusterConfig config = Keyed();
  config.auto_admit = admission::AutoAdmit::kAll;
  for (size_t i = 0; i < 2; ++i) lan_.at(i).Do(lan_.now(), lan_.at(i).controller.OnConfig(lan_.now(), config));
  EXPECT_TRUE(TakenIn());
}

TEST_F(AdoptionTest, TheClustersThatAreHeardAreShown) {
  ASSERT_TRUE(lan_.RunUntil([&] { return !lan_.status(2).adoption.clusters.empty(); }, Seconds(15)));
  const auto heard = lan_.status(2).adoption.clusters;
  ASSERT_THAT(heard, SizeIs(1));
  EXPECT_EQ(heard.begin()->first, lan_.status(0).roll.cluster);
  EXPECT_EQ(heard.begin()->second.name, Keyed().name);
  EXPECT_EQ(heard.begin()->second.nodes, 2u);
}

TEST_F(AdoptionTest, ANodeThatLeavesIsOfNoClusterAndTheOthersChangeTheKey) {
  ASSERT_TRUE(Admit(0, CodeOfN3()).ok());
  ASSERT_TRUE(TakenIn());
  ASSERT_TRUE(lan_.RunUntil([&] { return lan_.status(2).roll.nodes.size() == 3; }));
  const uint32_t key = lan_.status(0).key_in_use;
  ASSERT_TRUE(lan_.at(2).Order(lan_.now(), LeaveCluster{}).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return lan_.at(2).begins_anew; }, Seconds(3)));
  EXPECT_EQ(lan_.status(0).roll.nodes.size(), 2u) << "they know before it is gone";
  EXPECT_EQ(lan_.status(1).roll.nodes.size(), 2u);
  const auto changed = [&] {
    return lan_.status(0).key_in_use != key && lan_.status(1).key_in_use == lan_.status(0).key_in_use;
  };
  EXPECT_TRUE(lan_.RunUntil(changed, Seconds(5)));
}

TEST_F(AdoptionTest, ANodeThatWasKilledWhileItLeftGoesOnFromThere) {
  ASSERT_TRUE(Admit(0, CodeOfN3()).ok());
  ASSERT_TRUE(TakenIn());
  lan_.Run(Seconds(1));
  ASSERT_TRUE(lan_.at(2).Order(lan_.now(), LeaveCluster{}).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return lan_.status(0).roll.nodes.size() == 2; }, Seconds(3)));
  ASSERT_FALSE(lan_.at(2).begins_anew);
  lan_.Restart(2, "n3", Joining());
  lan_.Run(Milliseconds(10));
  EXPECT_TRUE(lan_.at(2).begins_anew);
}

TEST_F(AdoptionTest, WhoLeavesIsToldWhatHinders) {
  EXPECT_THAT(std::string(lan_.at(0).Order(lan_.now(), LeaveCluster{}).message()), HasSubstr("cluster.key"));
  EXPECT_THAT(std::string(lan_.at(2).Order(lan_.now(), LeaveCluster{}).message()), HasSubstr("records"));
  ASSERT_TRUE(Admit(0, CodeOfN3()).ok());
  ASSERT_TRUE(TakenIn());
  lan_.Run(Seconds(1));
  lan_.at(0).off = lan_.at(1).off = true;
  lan_.Run(Seconds(5));
  EXPECT_THAT(std::string(lan_.at(2).Order(lan_.now(), LeaveCluster{}).message()), HasSubstr("--last"));
  ASSERT_TRUE(lan_.at(2).Order(lan_.now(), LeaveCluster{.last = true}).ok());
  EXPECT_TRUE(lan_.RunUntil([&] { return lan_.at(2).begins_anew; }, Seconds(5)));
}

TEST_F(AdoptionTest, ANodeThatWaitsCanBeginAClusterOfItsOwn) {
  const BeginCluster begin = {.name = "own", .first = "[cluster]"};
  ASSERT_TRUE(lan_.at(2).Order(lan_.now(), begin).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return lan_.at(2).new_boot; }, Seconds(1)));
  const StoredState& stored = lan_.at(2).stored;
  ASSERT_THAT(stored.keyring.keys, SizeIs(1));
  EXPECT_NE(stored.keyring.keys[0].key, ClusterKey{});
  EXPECT_EQ(stored.keyring.use, stored.keyring.keys[0].id);
  ASSERT_TRUE(stored.joined && stored.joined->id);
  const ClusterId drawn = *stored.joined->id;
  EXPECT_NE(drawn, ClusterIdFromName("own")) << "another cluster of this name is another cluster";
  EXPECT_EQ(
      stored.joined,
      (JoinedCluster{
          .name = "own", .id = drawn, .port = ClusterNetwork{}.port, .group = GroupFor(drawn), .first = "[cluster]"}));
  ClusterConfig own = Joining();
  own.name = "own";
  lan_.Restart(2, "n3", own);
  EXPECT_TRUE(lan_.RunUntil([&] { return lan_.status(2).role == NodeRole::kMaster; }, Seconds(10)));
  EXPECT_FALSE(lan_.at(2).Order(lan_.now(), begin).ok()) << "it has a cluster";
}

class TokenTest : public AdoptionTest {
 protected:
  static constexpr admission::TokenId kId = {3};
  static constexpr admission::TokenSecret kSecret = {4};

  ClusterConfig WithToken() {
    ClusterConfig config = Joining();
    config.network.join->token = admission::MakeToken(*lan_.status(0).roll.cluster, kId, kSecret);
    return config;
  }
  absl::Status Open(size_t node, uint32_t uses = 1, Duration lifetime = Seconds(60)) {
    return lan_.at(node).Order(lan_.now(), OpenToken{.id = kId, .secret = kSecret, .uses = uses, .lifetime = lifetime});
  }
  bool KnowsToken(size_t node) { return !lan_.status(node).roll.tokens.empty(); }
};

TEST_F(TokenTest, WhoCarriesItIsTakenInWithoutACommand) {
  ASSERT_TRUE(Open(0).ok());
  lan_.Restart(2, "n3", WithToken());
  ASSERT_TRUE(TakenIn());
  ASSERT_TRUE(lan_.RunUntil([&] { return lan_.status(1).roll.nodes.size() == 3; }));
  const auto token = lan_.status(1).roll.tokens.at(0);
  EXPECT_EQ(token.uses, 0u);
  EXPECT_EQ(token.used_by, std::vector<std::string>{"n3"});
}

TEST_F(TokenTest, ItIsForSoManyNodes) {
  ASSERT_TRUE(Open(0).ok());
  lan_.Restart(2, "n3", WithToken());
  ASSERT_TRUE(TakenIn());
  lan_.AddNew("n4", WithToken());
  lan_.Run(Seconds(5));
  EXPECT_FALSE(lan_.at(3).new_boot);
}

// It is a record like all others.
TEST_F(TokenTest, ItOutlivesTheNodeThatOpenedIt) {
  ASSERT_TRUE(Open(0).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return KnowsToken(1); }));
  lan_.at(0).off = true;
  lan_.Restart(2, "n3", WithToken());
  EXPECT_TRUE(lan_.RunUntil([&] { return lan_.at(2).new_boot; }, Seconds(5)));
}

TEST_F(TokenTest, ItEnds) {
  ASSERT_TRUE(Open(0, 1, Seconds(2)).ok());
  lan_.Run(Seconds(3));
  lan_.Restart(2, "n3", WithToken());
  lan_.Run(Seconds(5));
  EXPECT_FALSE(lan_.at(2).new_boot);
}

TEST_F(TokenTest, ItIsClosedOnAnyNode) {
  ASSERT_TRUE(Open(0).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return KnowsToken(1); }));
  EXPECT_FALSE(lan_.at(1).Order(lan_.now(), CloseToken{.id = {9}}).ok());
  ASSERT_TRUE(lan_.at(1).Order(lan_.now(), CloseToken{.id = kId}).ok());
  lan_.Run(Seconds(1));
  lan_.Restart(2, "n3", WithToken());
  lan_.Run(Seconds(5));
  EXPECT_FALSE(lan_.at(2).new_boot);
}

TEST_F(TokenTest, TheIdAloneIsNotEnough) {
  ASSERT_TRUE(Open(0).ok());
  ClusterConfig config = WithToken();
  config.network.join->token->secret = {5};
  lan_.Restart(2, "n3", config);
  lan_.Run(Seconds(5));
  EXPECT_FALSE(lan_.at(2).new_boot);
}

TEST_F(TokenTest, OfAnotherClusterItLeadsNowhere) {
  ASSERT_TRUE(Open(0).ok());
  ASSERT_TRUE(Admit(0, CodeOfN3()).ok());
  ClusterConfig config = WithToken();
  config.network.join->token->cluster[0] ^= 1;
  lan_.Restart(2, "n3", config);
  lan_.Run(Seconds(5));
  EXPECT_FALSE(lan_.at(2).new_boot) << "its operator has named it, but it wants another cluster";
}

TEST_F(AdoptionTest, WhoIsInAClusterBeginsNone) {
  EXPECT_EQ(lan_.at(0).Order(lan_.now(), BeginCluster{.name = "own", .first = ""}).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(AdoptionTest, AClusterThatIsNotDurableHasNotBegun) {
  lan_.at(2).disk_full = true;
  ASSERT_TRUE(lan_.at(2).Order(lan_.now(), BeginCluster{.name = "own", .first = ""}).ok());
  lan_.Run(Seconds(2));
  EXPECT_FALSE(lan_.at(2).new_boot);
  lan_.at(2).disk_full = false;
  ASSERT_TRUE(Admit(0, CodeOfN3()).ok());
  EXPECT_TRUE(TakenIn(Seconds(10))) << "it waits as before";
}

TEST_F(AdoptionTest, OnlyAClusterWithRecordsAdmits) {
  Peers lan;
  lan.Add("n1", Keyed());
  lan.Run(Seconds(2));
  Actions actions;
  const absl::Status refused = lan.at(0).Order(lan.now(), AdmitNode{.code = "0000-0000-0000"});
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("cluster found"));
}

// What it was given is used only once it is durable.
TEST_F(AdoptionTest, AFullDiskDelaysIt) {
  lan_.at(2).disk_full = true;
  ASSERT_TRUE(Admit(0, CodeOfN3()).ok());
  lan_.Run(Seconds(8));
  EXPECT_FALSE(lan_.at(2).new_boot);
  EXPECT_TRUE(lan_.at(2).stored.keyring.keys.empty());
  lan_.at(2).disk_full = false;
  EXPECT_TRUE(TakenIn(Seconds(10)));
}

TEST_F(AdoptionTest, NothingIsDueForEver) {
  lan_.Run(Seconds(2));
  for (size_t i = 0; i < lan_.size(); ++i) EXPECT_GT(lan_.at(i).controller.NextDeadline(), lan_.now()) << i;
}

// Whatever it has lived through alone: the cluster's life goes on, and its master leads on.
TEST_F(AdoptionTest, ItDisturbsNobody) {
  lan_.at(2).stored.life = {.era = 9, .lineage = 77, .uptime_ms = 1'000'000'000};
  lan_.Restart(2, "n3", Joining());
  lan_.Run(Seconds(5));
  const Term term = lan_.status(0).term;
  const uint64_t lineage = lan_.status(0).lineage;
  ASSERT_TRUE(Admit(0, CodeOfN3()).ok());
  ASSERT_TRUE(TakenIn());
  lan_.Run(Seconds(2));
  for (size_t i = 0; i < lan_.size(); ++i) {
    EXPECT_EQ(lan_.status(i).term, term) << i;
    EXPECT_EQ(lan_.status(i).lineage, lineage) << i;
  }
}

// The key that the others have is the one that is given, whatever was in use when the cluster was founded.
TEST_F(AdoptionTest, ItGetsTheKeyInUse) {
  const uint32_t old = lan_.status(0).key_in_use;
  ASSERT_TRUE(lan_.at(0).Order(lan_.now(), RotateKey{}).ok());
  ASSERT_TRUE(lan_.RunUntil([&] { return lan_.status(0).key_in_use != old && lan_.status(1).key_in_use != old; }));
  ASSERT_TRUE(Admit(0, CodeOfN3()).ok());
  ASSERT_TRUE(TakenIn());
  EXPECT_EQ(lan_.at(2).stored.keyring.use, lan_.status(0).key_in_use);
}

}  // namespace
}  // namespace qure::test
