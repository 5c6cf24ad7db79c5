// What several nodes know of each other.
#include "tests/unit/core/peers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "control/core/cluster_facts.h"
#include "control/core/timers.h"

namespace qure::test {
namespace {

ClusterConfig OpenCluster() {
  ClusterConfig config = MakeConfig({{"198.51.100.50/24"}});
  config.network.security = Security::kOpen;
  return config;
}

class FieldD8 : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"n1", "n2", "n3"}) lan_.Add(name, OpenCluster());
    ASSERT_TRUE(lan_.RunUntil([&] { return Knows(0, 1) && Knows(0, 2) && Knows(1, 0) && Knows(1, 2); }));
  }
  std::optional<NodeState> StateOf(size_t viewer, size_t node) {
    const ControllerStatus status = lan_.status(viewer);
    const auto row = std::ranges::find(status.nodes, lan_.at(node).id, &NodeRow::node);
    return row == status.nodes.end() ? std::nullopt : std::optional(row->state);
  }
  bool Knows(size_t viewer, size_t node) { return StateOf(viewer, node) == NodeState::kAlive; }
  absl::Status Forget(size_t viewer, size_t node) {
    return lan_.at(viewer).Order(lan_.now(), ForgetNode{.node = lan_.at(node).id});
  }

  Peers lan_;
};

// The cluster has no services: such commands need none.
TEST_F(FieldD8, ADeadNodeIsForgottenOnAllNodes) {
  lan_.at(2).off = true;
  ASSERT_TRUE(lan_.RunUntil([&] { return StateOf(0, 2) == NodeState::kDown && StateOf(1, 2) == NodeState::kDown; }));
  ASSERT_TRUE(Forget(0, 2).ok());
  EXPECT_EQ(StateOf(0, 2), std::nullopt);
  EXPECT_TRUE(lan_.RunUntil([&] { return StateOf(1, 2) == std::nullopt; }));
  // Nothing is left to do for it.
  lan_.Run(Seconds(2));
  EXPECT_GE(lan_.at(0).controller.NextDeadline(), lan_.now());
}

TEST_F(FieldD8, OneThatComesBackIsKnownAgain) {
  lan_.at(2).off = true;
  ASSERT_TRUE(lan_.RunUntil([&] { return StateOf(0, 2) == NodeState::kDown; }));
  ASSERT_TRUE(Forget(0, 2).ok());
  lan_.at(2).off = false;
  EXPECT_TRUE(lan_.RunUntil([&] { return Knows(0, 2) && Knows(1, 2); }));
}

TEST_F(FieldD8, ANodeThatIsPresentIsNotForgotten) {
  EXPECT_EQ(Forget(0, 1).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Forget(0, 0).code(), absl::StatusCode::kFailedPrecondition);
  lan_.Run(Seconds(1));
  EXPECT_TRUE(Knows(0, 1));
  EXPECT_TRUE(Knows(2, 1));
}

class FieldD2 : public ::testing::Test {
 protected:
  static ClusterConfig Configured(uint64_t digest) {
    ClusterConfig config = OpenCluster();
    config.digest = digest;
    return config;
  }
  bool Differs(size_t viewer, size_t node) {
    const ControllerStatus status = lan_.status(viewer);
    const auto row = std::ranges::find(status.nodes, lan_.at(node).id, &NodeRow::node);
    return row != status.nodes.end() && row->config_differs;
  }
  size_t LogsOf(size_t viewer, std::string_view text) {
    return static_cast<size_t>(std::ranges::count_if(
        lan_.at(viewer).logs, [text](const std::string& line) { return line.find(text) != std::string::npos; }));
  }

  // Strangers: both say so, and why.
  static ClusterConfig Sealed(uint8_t key, std::string name = "home") {
    ClusterConfig config = MakeConfig({{"198.51.100.50/24"}});
    config.name = std::move(name);
    config.network.key.emplace().fill(key);
    return config;
  }
  static ClusterConfig Open() {
    ClusterConfig config = OpenCluster();
    config.name = "home";
    return config;
  }
  std::optional<StrangerCause> CauseAt(size_t viewer, size_t node) {
    for (const qure::Stranger& stranger : lan_.status(viewer).strangers) {
      if (stranger.node == lan_.at(node).id) return stranger.cause;
    }
    return std::nullopt;
  }
  void ExpectBoth(StrangerCause cause) {
    lan_.Run(Seconds(5));
    for (size_t node = 0; node < 2; ++node) {
      EXPECT_EQ(CauseAt(node, 1 - node), cause) << node;
      const auto& logs = lan_.at(node).logs;
      const auto is_it = [](const std::string& line) { return line.starts_with("a node that is not believed"); };
      EXPECT_EQ(std::ranges::count_if(logs, is_it), 1) << node;
    }
  }

  Peers lan_;
};

TEST_F(FieldD2, ConfigurationsThatDifferAreSaidOnBothSides) {
  lan_.Add("n1", Configured(7));
  lan_.Add("n2", Configured(7));
  lan_.Add("n3", Configured(8));
  EXPECT_TRUE(lan_.RunUntil([&] { return Differs(0, 2) && Differs(1, 2) && Differs(2, 0) && Differs(2, 1); }));
  EXPECT_FALSE(Differs(0, 1));
  lan_.Run(Seconds(30));
  EXPECT_EQ(LogsOf(0, "n3 has another [cluster] configuration"), 1U);
  EXPECT_EQ(LogsOf(2, "has another [cluster] configuration"), 2U);
  // It is mended by a reload.
  lan_.at(2).Do(lan_.now(), lan_.at(2).controller.OnConfig(lan_.now(), Configured(7)));
  EXPECT_TRUE(lan_.RunUntil([&] { return !Differs(0, 2) && !Differs(2, 0); }));
  EXPECT_EQ(LogsOf(0, "n3 has the same [cluster] configuration again"), 1U);
}

TEST_F(FieldD2, AReloadOfOneNodeAfterTheOtherIsNoDifference) {
  for (const char* name : {"n1", "n2"}) lan_.Add(name, Configured(7));
  lan_.Run(Seconds(5));
  for (size_t node = 0; node < 2; ++node) {
    lan_.at(node).Do(lan_.now(), lan_.at(node).controller.OnConfig(lan_.now(), Configured(9)));
    lan_.Run(Seconds(5));
  }
  lan_.Run(Seconds(15));
  EXPECT_EQ(LogsOf(0, "configuration"), 0U);
  EXPECT_FALSE(Differs(0, 1));
}

TEST_F(FieldD2, NodesOfDifferentRevisionsAreNotCompared) {
  lan_.Add("n1", Configured(7), "r1");
  lan_.Add("n2", Configured(8), "r2");
  lan_.Add("n3", Configured(0), "r1");
  lan_.Run(Seconds(20));
  EXPECT_EQ(LogsOf(0, "configuration"), 0U);
  EXPECT_FALSE(Differs(0, 1));
  EXPECT_FALSE(Differs(0, 2));
}

// Nodes that do not believe each other: both say so, and why.
TEST_F(FieldD2, KeysThatDiffer) {
  lan_.Add("n1", Sealed(1));
  lan_.Add("n2", Sealed(2));
  ExpectBoth(StrangerCause::kOtherKey);
  // It is not said again and again.
  lan_.Run(Seconds(60));
  ExpectBoth(StrangerCause::kOtherKey);
}

TEST_F(FieldD2, AnotherClustersName) {
  lan_.Add("n1", Sealed(1, "home"));
  lan_.Add("n2", Sealed(1, "house"));
  ExpectBoth(StrangerCause::kOtherCluster);
}

TEST_F(FieldD2, AnOpenNodeBesideOneWithAKey) {
  lan_.Add("n1", Sealed(1));
  lan_.Add("n2", Open());
  ExpectBoth(StrangerCause::kKeyless);
}

TEST_F(FieldD2, ANodeWithoutAKey) {
  ClusterConfig keyless = Sealed(1);
  keyless.network.key.reset();
  lan_.Add("n1", Sealed(1));
  lan_.Add("n2", keyless);
  lan_.Run(Seconds(5));
  ExpectBoth(StrangerCause::kKeyless);
  // It says that it is there, and not more than that.
  EXPECT_EQ(lan_.status(0).nodes.size(), 1U);
  EXPECT_EQ(lan_.status(1).nodes.size(), 1U);
}

TEST_F(FieldD2, TheWorkersPassTheClustersFramesOnThoughThereIsNoKey) {
  Node alone;
  alone.Configure(MakeConfig({{"198.51.100.50/24"}}));
  EXPECT_EQ(alone.snapshot().cluster_port, kDefaultClusterPort);
  EXPECT_FALSE(alone.snapshot().cluster_group.is_zero());
}

TEST_F(FieldD2, AnOldKeyAfterARotationAndItsEnd) {
  Peer& first = lan_.Add("n1", Sealed(1));
  Peer& second = lan_.Add("n2", Sealed(1));
  ASSERT_TRUE(lan_.RunUntil([&] { return lan_.status(0).nodes.size() == 2; }));
  EXPECT_EQ(CauseAt(0, 1), std::nullopt);
  const AddKey key{.id = 2, .key = {9}};
  ASSERT_TRUE(first.Order(lan_.now(), key).ok());
  ASSERT_TRUE(first.Order(lan_.now(), UseKey{.id = 2}).ok());
  ASSERT_TRUE(first.Order(lan_.now(), RemoveKey{.id = 1}).ok());
  ExpectBoth(StrangerCause::kUnknownKey);
  ASSERT_TRUE(second.Order(lan_.now(), key).ok());
  ASSERT_TRUE(second.Order(lan_.now(), UseKey{.id = 2}).ok());
  lan_.Run(Seconds(5));
  EXPECT_EQ(CauseAt(0, 1), std::nullopt);
  EXPECT_EQ(CauseAt(1, 0), std::nullopt);
}

TEST_F(FieldD2, OneThatIsGoneIsForgotten) {
  lan_.Add("n1", Sealed(1));
  lan_.Add("n2", Sealed(2));
  ExpectBoth(StrangerCause::kOtherKey);
  lan_.at(1).off = true;
  lan_.Run(kStrangerForgotten);
  EXPECT_EQ(CauseAt(0, 1), std::nullopt);
}

bool BecomesNewBoot(const Actions& actions) {
  return std::ranges::any_of(actions, [](const Action& a) { return std::holds_alternative<BecomeNewBoot>(a); });
}

// Told by the hypervisor, or by a later frame of its own: of another copy of this process.
TEST(FieldE10Controller, ARestoredNodeBecomesANewBoot) {
  Peers lan;
  Peer& original = lan.Add("n1", OpenCluster());
  Peer copy(1, "n1", OpenCluster(), lan.now());
  for (int i = 0; i < 3; ++i) original.Do(lan.now() + Seconds(i), original.controller.Tick(lan.now() + Seconds(i)));
  std::optional<Datagram> later;
  for (const SendFrame& frame : original.sent) later = DatagramOf(frame).has_value() ? DatagramOf(frame) : later;
  ASSERT_TRUE(later);
  EXPECT_TRUE(BecomesNewBoot(copy.controller.OnDatagram(lan.now(), *later)));
  EXPECT_FALSE(BecomesNewBoot(original.controller.Tick(lan.now() + Seconds(4))));
  EXPECT_TRUE(BecomesNewBoot(original.controller.OnRestored(lan.now() + Seconds(4))));
}

// It has no session that another copy could repeat.
TEST(FieldE10Controller, ARestoredNodeWithoutAClusterGoesOn) {
  Peers lan;
  Peer& alone = lan.Add("n1", MakeConfig({{"198.51.100.50/24"}}));
  EXPECT_FALSE(BecomesNewBoot(alone.controller.OnRestored(lan.now())));
}

// The link of a node works one way for a while. It is in maintenance, so that it does not stand for election meanwhile.
TEST(FieldA11Share, WhoHearsAgainHasTheBalanceEpochBeforeItsShare) {
  ClusterConfig config = OpenCluster();
  config.table_size = 257;
  config.services.push_back({.name = "web", .first_port = 80, .last_port = 80});
  Peers lan;
  for (const char* name : {"n1", "n2", "n3"}) lan.Add(name, config);
  const auto shares = [&](size_t viewer) { return *lan.status(viewer).services.at(0).current; };
  ASSERT_TRUE(lan.RunUntil([&] { return shares(0).size() == lan.size(); }));
  const size_t master = lan.status(0).role == NodeRole::kMaster ? 0 : lan.status(1).role == NodeRole::kMaster ? 1 : 2;
  const size_t node = (master + 1) % lan.size();
  const auto has_share = [&] { return shares(master).contains(lan.at(node).id); };
  ASSERT_TRUE(lan.at(node).Order(lan.now(), SetMaintenance{.on = true}).ok());

  lan.at(node).deaf = true;
  ASSERT_TRUE(lan.RunUntil([&] { return !has_share(); }));
  lan.Run(kEpochSettled + Seconds(1));  // so that the next one need not wait
  ASSERT_NE(lan.status(node).balance_epoch, lan.status(master).balance_epoch);
  lan.at(node).deaf = false;
  uint64_t known = 0, decided = 0;
  const auto gets_one = [&] {
    if (has_share()) return true;
    known = lan.status(node).balance_epoch;
    decided = lan.status(master).balance_epoch;
    return false;
  };
  ASSERT_TRUE(lan.RunUntil(gets_one));
  EXPECT_EQ(known, decided);
}

// 64 services on 16 nodes, and all checks fail.
class FieldE8 : public ::testing::Test {
 protected:
  static constexpr size_t kNodes = 16;

  FieldE8() {
    ClusterConfig config = OpenCluster();
    config.table_size = 257;
    for (size_t i = 0; i < kMaxServices; ++i) {
      const auto port = static_cast<uint16_t>(1000 + i);
      ServiceConfig service{.name = absl::StrCat("service", i), .first_port = port, .last_port = port};
      service.check.kind = HealthCheck::Kind::kTcp;
      failing_.unhealthy.insert(service.name);
      config.services.push_back(std::move(service));
    }
    for (size_t i = 0; i < kNodes; ++i) {
      Peer& peer = lan_.Add(absl::StrCat("n", i), config);
      peer.Do(lan_.now(), peer.controller.OnHealth(lan_.now(), failing_));
    }
  }
  // The shortest time of many.
  template <typename Job>
  static std::chrono::nanoseconds Shortest(Job job) {
    auto shortest = std::chrono::nanoseconds::max();
    for (int i = 0; i < 200; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      job();
      shortest = std::min<std::chrono::nanoseconds>(shortest, std::chrono::steady_clock::now() - begin);
    }
    return shortest;
  }

  ServiceHealth failing_;
  Peers lan_;
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kSlower = 10;
#else
constexpr int kSlower = 1;
#endif

TEST_F(FieldE8, AStatusCostsLittleThoughEverythingFails) {
  const auto all_reported = [&] {
    const std::vector<ServiceRow> rows = lan_.status(0).services;
    return rows.size() == kMaxServices &&
           std::ranges::all_of(rows, [](const ServiceRow& row) { return row.unfit_at.size() == kNodes; });
  };
  ASSERT_TRUE(lan_.RunUntil(all_reported));
  const Controller& controller = lan_.at(0).controller;
  ControllerStatus status;
  const auto made = Shortest([&] { status = controller.status(lan_.now()); });
  const auto facts = Shortest([&] { FactsOf(controller.config(), status, 0); });
  RecordProperty("status_ns", static_cast<int>(made.count()));
  RecordProperty("facts_ns", static_cast<int>(facts.count()));
  EXPECT_LT(made, std::chrono::microseconds(200) * kSlower);
  EXPECT_LT(facts, std::chrono::microseconds(200) * kSlower);
  // And says what it has to.
  ASSERT_EQ(status.nodes.size(), kNodes);
  for (const ServiceRow& row : status.services) {
    for (const NodeRow& node : status.nodes) EXPECT_EQ(row.CheckAt(node.node), CheckState::kFails);
  }
  for (const ClusterFacts::Service& service : FactsOf(controller.config(), status, 0).services) {
    EXPECT_THAT(service.healthy, ::testing::IsEmpty());
  }
}

TEST_F(FieldE8, AServiceThatWorksSomewhereIsFoundThere) {
  ASSERT_TRUE(lan_.RunUntil([&] { return lan_.status(0).nodes.size() == kNodes; }));
  Peer& peer = lan_.at(3);
  ServiceHealth mostly = failing_;
  mostly.unhealthy.erase("service7");
  peer.Do(lan_.now(), peer.controller.OnHealth(lan_.now(), mostly));
  const auto found = [&] { return lan_.status(0).services[7].CheckAt(peer.id) == CheckState::kPasses; };
  ASSERT_TRUE(lan_.RunUntil(found));
  const ClusterFacts facts = FactsOf(lan_.at(0).controller.config(), lan_.status(0), 0);
  EXPECT_THAT(facts.services[7].healthy, ::testing::ElementsAre(peer.id));
  EXPECT_TRUE(facts.services[7].IsHealthy(peer.id));
  EXPECT_THAT(facts.services[8].healthy, ::testing::IsEmpty());
}

}  // namespace
}  // namespace qure::test
