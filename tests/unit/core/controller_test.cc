// Several claims under one controller: what is published, in which order, and what a reload leaves alone.
#include "control/core/controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "control/core/timers.h"
#include "proto/dns/zone_builder.h"
#include "tests/unit/core/support.h"

namespace qure::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kA = "198.51.100.50/24";
constexpr std::string_view kB = "198.51.100.51/24";
constexpr std::string_view kC = "2001:db8:2::50/64";

void HoldAll(Node* node) {
  node->RunFor(Seconds(10));
  for (const ClaimStatus& claim : node->status().claims) ASSERT_EQ(claim.state, ClaimState::kHeld);
  node->Forget();
}

void Contest(Node* node, std::string_view ip) {
  node->HearUsed(ip, Stranger());
  node->HearUsed(ip, Stranger());
}

TEST(Controller, BeforeAnyConfigItIsIdle) {
  Node node;
  EXPECT_EQ(node.deadline(), kNever);
  EXPECT_EQ(node.status().role, NodeRole::kStandby);
  node.Configure(MakeConfig({}));
  EXPECT_THAT(node.Described(), ElementsAre("snapshot 1: "));
  node.Forget();
  node.RunFor(Seconds(300));
  EXPECT_THAT(node.steps(), IsEmpty());
}

TEST(Controller, SnapshotSaysWhoWeAreAndWhatWeWatch) {
  std::mt19937_64 random(1);
  Controller controller({.node_id = kNodeId, .lan_mac = LanMac(), .lan_mode = LanMode::kShared, .vlan = 42},
                        {.node_id = kNodeId}, random, kStart);
  ClusterConfig config = MakeConfig({{kC}, {kB, kA}});
  config.gateways = {Ip("198.51.100.1"), Ip("2001:db8:2::1")};
  const Actions actions = controller.OnConfig(kStart, config);
  const auto published =
      std::ranges::find_if(actions, [](const Action& a) { return std::holds_alternative<PublishSnapshot>(a); });
  ASSERT_NE(published, actions.end());
  const Snapshot& snapshot = *std::get<PublishSnapshot>(*published).snapshot;
  EXPECT_EQ(snapshot.revision, 1);
  EXPECT_EQ(snapshot.lan_mac, LanMac());
  EXPECT_EQ(snapshot.node_mac, NodeMac(kNodeId, 0));
  EXPECT_EQ(snapshot.node_mac_hop1, NodeMac(kNodeId, 1));
  EXPECT_EQ(snapshot.vlan, 42);
  EXPECT_FALSE(snapshot.dedicated);
  ASSERT_EQ(snapshot.addresses_v4.size(), 1);
  EXPECT_EQ(snapshot.addresses_v4[0].address, Ip("198.51.100.51"));
  EXPECT_EQ(snapshot.addresses_v4[0].mac, ServiceMacOf("198.51.100.51"));
  EXPECT_FALSE(snapshot.addresses_v4[0].serving);
  ASSERT_EQ(snapshot.addresses_v6.size(), 1);
  EXPECT_EQ(snapshot.addresses_v6[0].mac, ServiceMacOf("2001:db8:2::50"));
  EXPECT_EQ(snapshot.gateways, config.gateways);
  EXPECT_EQ(snapshot.dns, nullptr);

  const ControllerStatus status = controller.status(kStart);
  EXPECT_EQ(status.node_mac, NodeMac(kNodeId, 0));
  EXPECT_EQ(status.snapshot_revision, 1);
  EXPECT_EQ(status.claims.size(), 2);
}

TEST(Controller, InterfaceModeUsesThePortsMacForEverything) {
  Node node;
  ClusterConfig config = MakeConfig({{kA}, {kC}});
  config.service_mac = ServiceMac::kInterface;
  node.Configure(config);
  EXPECT_EQ(node.snapshot().node_mac, LanMac());
  EXPECT_EQ(node.snapshot().node_mac_hop1, LanMac());
  EXPECT_EQ(node.snapshot().addresses_v4.at(0).mac, LanMac());
  EXPECT_EQ(node.snapshot().addresses_v6.at(0).mac, LanMac());
  node.RunFor(Seconds(10));
  for (const std::string& frame : node.Sent(kStart)) EXPECT_THAT(frame, HasSubstr(" lan>"));
  EXPECT_EQ(node.status().node_mac, LanMac());
}

TEST(Controller, ServicesFollowTheConfiguration) {
  Node node;
  ClusterConfig config = MakeConfig({{kA}, {kC}});
  node.Configure(config);
  EXPECT_FALSE(node.snapshot().services->drop_others);
  EXPECT_EQ(node.snapshot().services->Find(kProtocolTcp, 80, 1), 0);
  config.default_policy = DefaultPolicy::kDrop;
  config.services = {{.name = "web", .protocol = kProtocolTcp, .first_port = 80, .last_port = 80},
                     {.name = "dns", .protocol = kProtocolUdp, .first_port = 53, .last_port = 53},
                     {.name = "a",
                      .protocol = kProtocolTcp,
                      .first_port = 65533,
                      .last_port = 65535,
                      .address = ParsePrefix(kA)->address},
                     {.name = "b",
                      .protocol = kProtocolTcp,
                      .first_port = 65535,
                      .last_port = 65535,
                      .address = ParsePrefix(kC)->address}};
  node.Configure(config);
  const Snapshot& snapshot = node.snapshot();
  const ServiceMap& services = *snapshot.services;
  const uint8_t a = snapshot.addresses_v4.front().id;
  const uint8_t c = snapshot.addresses_v6.front().id;
  ASSERT_NE(a, c);
  EXPECT_TRUE(services.drop_others);
  EXPECT_EQ(services.Find(kProtocolTcp, 80, a), 1);
  EXPECT_EQ(services.Find(kProtocolTcp, 80, c), 1);
  EXPECT_EQ(services.Find(kProtocolUdp, 80, a), 0);
  EXPECT_EQ(services.Find(kProtocolUdp, 53, a), 2);
  EXPECT_EQ(services.Find(kProtocolTcp, 65533, a), 3);
  EXPECT_EQ(services.Find(kProtocolTcp, 65533, c), 0);
  EXPECT_EQ(services.Find(kProtocolTcp, 65535, a), 3);
  EXPECT_EQ(services.Find(kProtocolTcp, 65535, c), 4);
  EXPECT_EQ(services.Find(kProtocolTcp, 65532, a), 0);
}

ZoneConfig MakeZone(std::string_view name) {
  const std::string apex = DnsNameToWire(name).value();
  DnsZoneBuilder builder(apex, 0);
  builder.Add({apex, kDnsTypeSoa, 60, apex + apex + std::string(20, '\1')});
  return {.file = {}, .zone = std::make_shared<const DnsZone>(builder.Build())};
}

TEST(Controller, DnsIsPublishedAnewOnlyWhenZonesChange) {
  Node node;
  ClusterConfig config = MakeConfig({{kA}});
  config.zones = {MakeZone("home.example")};
  node.Configure(config);
  const std::shared_ptr<const DnsAuthority> first = node.snapshot().dns;
  ASSERT_NE(first, nullptr);
  node.RunFor(Seconds(10));
  EXPECT_EQ(node.snapshot().dns, first);
  config.gateways = {Ip("198.51.100.1")};
  node.Configure(config);
  EXPECT_EQ(node.snapshot().dns, first);
  config.zones.push_back(MakeZone("shop.example"));
  node.Configure(config);
  EXPECT_NE(node.snapshot().dns, first);
  config.zones.clear();
  node.Configure(config);
  EXPECT_EQ(node.snapshot().dns, nullptr);
}

TEST(Controller, GateOpensWithTheFirstHeldAndNoConflictShutsIt) {
  Node node;
  node.Configure(MakeConfig({{kA}, {kB}}));
  node.RunFor(Seconds(10));
  const std::vector<std::string> actions = node.Described();
  EXPECT_EQ(std::ranges::count(actions, "open gate"), 1);
  node.Forget();
  for (const std::string_view ip : {"198.51.100.50", "198.51.100.51"}) {
    Contest(&node, ip);
    EXPECT_TRUE(node.Serves(ip));
    EXPECT_TRUE(node.gate_open());
    EXPECT_EQ(node.status().role, NodeRole::kMaster);
  }
  node.Configure(MakeConfig({{kC}}));
  EXPECT_FALSE(node.gate_open()) << "nothing is held until the new address has been probed for";
  EXPECT_EQ(node.status().role, NodeRole::kStandby);
  node.RunFor(Seconds(20));
  EXPECT_TRUE(node.gate_open());
}

TEST(Controller, ReloadOfTheSameChangesNothing) {
  Node node;
  ClusterConfig config = MakeConfig({{kA, kB}, {kC}});
  node.Configure(config);
  HoldAll(&node);
  const MonoTime deadline = node.deadline();
  config.probe_interval = Milliseconds(500);
  config.default_policy = DefaultPolicy::kDrop;
  node.Configure(config);
  EXPECT_THAT(node.Described(), ElementsAre("snapshot 4: serving 198.51.100.50, serving 2001:db8:2::50"));
  EXPECT_TRUE(node.snapshot().services->drop_others);
  EXPECT_EQ(node.deadline(), deadline);
}

TEST(Controller, ReloadLeavesProbingAndTakenClaimsAlone) {
  Node node;
  const ClusterConfig config = MakeConfig({{kA}, {kC}});
  node.Configure(config);
  node.HearUsed("198.51.100.50", Stranger());
  node.TickAt(node.deadline());
  const MonoTime deadline = node.deadline();
  node.Forget();
  node.Configure(config);
  EXPECT_EQ(node.claim(0).state, ClaimState::kTaken);
  EXPECT_EQ(node.claim(0).holder, Stranger());
  EXPECT_EQ(node.claim(1).state, ClaimState::kProbing);
  EXPECT_EQ(node.deadline(), deadline);
  EXPECT_EQ(node.steps().size(), 1);
}

// Every snapshot from the reload on serves what was served before.
TEST(Controller, ReloadAddsAndReordersWithoutAGap) {
  Node node;
  node.Configure(MakeConfig({{kA}}));
  HoldAll(&node);
  node.Configure(MakeConfig({{kC}, {kB}, {kA}}));
  node.RunFor(Seconds(5));
  for (const Step& step : node.steps()) {
    const auto* publish = std::get_if<PublishSnapshot>(&step.action);
    if (publish == nullptr) continue;
    const ServiceAddress* a = publish->snapshot->Find(Ip("198.51.100.50").v4());
    ASSERT_NE(a, nullptr);
    EXPECT_TRUE(a->serving);
  }
  for (const std::string& frame : node.Sent(kStart)) {
    EXPECT_FALSE(absl::StrContains(frame, "node>broadcast") && absl::EndsWith(frame, "zero/198.51.100.50")) << frame;
  }
  EXPECT_EQ(node.snapshot().addresses_v4.at(0).address, Ip("198.51.100.51"));
  EXPECT_EQ(node.snapshot().addresses_v4.at(1).address, Ip("198.51.100.50"));
  EXPECT_THAT(node.Described(), Contains("host addresses: 2001:db8:2::50/64, 198.51.100.51/24, 198.51.100.50/24"));
  EXPECT_TRUE(node.Serves("2001:db8:2::50"));
  EXPECT_TRUE(node.Serves("198.51.100.51"));
}

TEST(Controller, ReloadMayGiveAHeldAddressAlternatives) {
  Node node;
  node.Configure(MakeConfig({{kA}}));
  HoldAll(&node);
  node.Configure(MakeConfig({{kB, kA}}));
  EXPECT_THAT(node.Described(), ElementsAre("snapshot 3: serving 198.51.100.50"));
  Contest(&node, "198.51.100.50");
  EXPECT_EQ(node.claim().address, Prefix(kA)) << "alternatives are for addresses that are not held yet";
  EXPECT_EQ(node.claim().state, ClaimState::kHeld);
}

TEST(Controller, ReloadMayTakeAlternativesAway) {
  Node node;
  node.Configure(MakeConfig({{kA, kB}}));
  node.HearUsed("198.51.100.50", Stranger());
  HoldAll(&node);
  node.Configure(MakeConfig({{kB}}));
  EXPECT_THAT(node.Described(), ElementsAre("snapshot 4: serving 198.51.100.51"));
  Contest(&node, "198.51.100.51");
  EXPECT_EQ(node.claim().state, ClaimState::kHeld);
  node.TickAt(node.deadline());
  EXPECT_EQ(node.claim().address, Prefix(kB));
}

TEST(Controller, ReloadRemovesAClaim) {
  Node node;
  node.Configure(MakeConfig({{kA}, {kB}}));
  HoldAll(&node);
  node.Configure(MakeConfig({{kB}}));
  EXPECT_THAT(node.Described(), ElementsAre("snapshot 4: serving 198.51.100.51", "host addresses: 198.51.100.51/24"));
  node.Forget();
  node.Configure(MakeConfig({}));
  EXPECT_THAT(node.Described(), ElementsAre("shut gate", "snapshot 5: ", "host addresses: "));
  node.Forget();
  node.RunFor(Seconds(300));
  EXPECT_THAT(node.steps(), IsEmpty());
}

TEST(Controller, ReloadThatChangesTheMacStartsAnew) {
  Node node;
  ClusterConfig config = MakeConfig({{kA}});
  node.Configure(config);
  HoldAll(&node);
  config.name = "other";
  node.Configure(config);
  EXPECT_THAT(node.Described(), ElementsAre("shut gate", "snapshot 3: watching 198.51.100.50", "host addresses: "));
  EXPECT_EQ(node.claim().state, ClaimState::kProbing);
  HoldAll(&node);
  EXPECT_EQ(node.claim().mac, ServiceMacFor(ClusterIdFromName("other"), Ip("198.51.100.50")));

  config.service_mac = ServiceMac::kInterface;
  node.Configure(config);
  EXPECT_EQ(node.claim().state, ClaimState::kProbing);
  HoldAll(&node);
  EXPECT_EQ(node.claim().mac, LanMac());
  EXPECT_EQ(node.snapshot().node_mac, LanMac());
}

TEST(Controller, EachFamilyHasItsGateway) {
  Node node;
  ClusterConfig config = MakeConfig({{kA}, {kC}});
  config.gateways = {Ip("2001:db8:2::1")};
  node.Configure(config);
  HoldAll(&node);
  EXPECT_EQ(node.claim(0).verify_failures, 0) << "no IPv4 gateway, nothing to verify";
  EXPECT_GT(node.claim(1).verify_failures, 0);
  node.HearGateway("2001:db8:2::1", GatewayMac());
  EXPECT_FALSE(node.claim(0).verified);
  EXPECT_TRUE(node.claim(1).verified);
}

TEST(Controller, AStallShutsTheGateUntilItHasListenedAndDisturbsNoClaim) {
  const Event stall{.kind = EventKind::kStalled,
                    .mac = Stranger(),
                    .ip = Ip("198.51.100.50"),
                    .span = Milliseconds(120),
                    .stalls = 1};
  Node node;
  node.Configure(MakeConfig({{kA}}));
  node.Hear(stall);
  EXPECT_EQ(node.claim().state, ClaimState::kProbing);
  HoldAll(&node);
  node.Hear(stall);
  EXPECT_FALSE(node.gate_open());
  EXPECT_TRUE(node.Serves("198.51.100.50"));
  node.RunFor(kCandidateListen - Milliseconds(1));
  EXPECT_FALSE(node.gate_open());
  node.RunFor(Milliseconds(1));
  EXPECT_TRUE(node.gate_open());
  EXPECT_EQ(node.claim().state, ClaimState::kHeld);
}

// A long life with conflicts and reloads.
std::vector<std::string> Live(uint64_t seed) {
  Node node(seed);
  std::mt19937_64 world(7);
  node.Configure(MakeConfig({{kA, kB}, {kC}}));
  for (int i = 0; i < 300; ++i) {
    node.RunFor(Milliseconds(static_cast<int64_t>(world() % 3000)));
    const std::string_view ip =
        std::array<std::string_view, 3>{"198.51.100.50", "198.51.100.51", "2001:db8:2::50"}[world() % 3];
    switch (world() % 4) {
      case 0:
        node.HearUsed(ip, Stranger());
        break;
      case 1:
        node.HearProbed(ip, Stranger2());
        break;
      case 2:
        node.HearUsed(ip, ServiceMacOf(ip));
        break;
      default:
        if (world() % 8 == 0) node.Configure(MakeConfig({{kA, kB}, {kC}}));
        break;
    }
  }
  std::vector<std::string> life;
  for (const Step& step : node.steps()) life.push_back(absl::StrCat(step.at.ns, " ", Describe(step.action)));
  return life;
}

TEST(Controller, SameSeedSameActions) {
  const std::vector<std::string> life = Live(1);
  EXPECT_GT(life.size(), 100);
  EXPECT_EQ(life, Live(1));
  EXPECT_NE(life, Live(2));
}

}  // namespace
}  // namespace qure::test
