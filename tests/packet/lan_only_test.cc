// Names for the right people: what only hosts of the LAN get, and who is none of them.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proto/dns/message.h"
#include "proto/dns/zone_builder.h"
#include "tests/support/harness.h"

namespace qure::testing {
namespace {

const Ipv4Address kLanHost = Ip4("198.51.100.77");
constexpr uint32_t kRate = 5;

std::string Wire(const char* name) {
  return *DnsNameToWire(name);
}

std::shared_ptr<const DnsZone> ClusterZone() {
  DnsZoneBuilder builder(Wire("localcluster"), 0);
  builder.ForLanOnly();
  const std::string soa = Wire("home.localcluster") + Wire("home.localcluster") + std::string(20, '\1');
  builder.Add({Wire("localcluster"), kDnsTypeSoa, 5, soa});
  builder.Add({Wire("localcluster"), kDnsTypeNs, 5, Wire("home.localcluster")});
  builder.Add({Wire("n1.localcluster"), kDnsTypeTxt, 5, std::string("\x08role=any")});
  builder.Add({Wire("n1.localcluster"), kDnsTypeA, 5, std::string("\xc6\x33\x64\x0b")});
  return std::make_shared<const DnsZone>(builder.Build());
}

// Leads from a public zone into the cluster's own.
std::shared_ptr<const DnsZone> PublicZone() {
  DnsZoneBuilder builder(Wire("home.example"), 0);
  const std::string soa = Wire("ns1.home.example") + Wire("ns1.home.example") + std::string(20, '\1');
  builder.Add({Wire("home.example"), kDnsTypeSoa, 60, soa});
  builder.Add({Wire("home.example"), kDnsTypeNs, 60, Wire("ns1.home.example")});
  builder.Add({Wire("node.home.example"), kDnsTypeCname, 60, Wire("n1.localcluster")});
  return std::make_shared<const DnsZone>(builder.Build());
}

// A site that forwards for its LAN and knows `.localcluster`.
class LanOnly : public ::testing::Test {
 protected:
  LanOnly() : snapshot_(SiteSnapshot()) { Allow({}); }

  // `named`: networks of the LAN beside 198.51.100.0/24.
  void Allow(const std::vector<IpPrefix>& named) {
    std::vector<IpPrefix> networks = {{kLanHost, 24}};
    networks.insert(networks.end(), named.begin(), named.end());
    auto authority = std::make_shared<DnsAuthority>(*snapshot_.dns);
    authority->zones = DnsZones({PublicZone(), ClusterZone()});
    authority->lan = LanHosts(networks, snapshot_.gateways);
    authority->recursion = authority->lan;
    authority->forwarding = std::make_shared<DnsForwarding>();
    snapshot_.dns = std::move(authority);
  }

  Outcome Ask(const Ipv4Address& source, const Dns& dns, DnsLimiter* limiter = nullptr) {
    const Bytes frame = Build(Ether{kServiceMac4, kGatewayMac, 0x0800},
                              Build(Ip4Header{.source = source, .destination = kService4, .protocol = 17},
                                    Udp(source, kService4, 40000, 53, Build(dns))));
    FlowTable table(kFlows, kFlowSeed);
    const WorkerMemory memory{
        .flows = {.table = &table}, .dns = {.limiter = limiter, .queries = &queries_}, .now = FlowTimeOf(now_)};
    return Process(snapshot_, memory, Direction::kFromLan, frame);
  }
  std::string_view ReasonFor(const Ipv4Address& source, const Dns& dns) { return NameOf(Ask(source, dns).reason); }

  Snapshot snapshot_;
  DnsQueryLog queries_;
  MonoTime now_{Seconds(1000).ns};
};

using FieldE3 = LanOnly;
using FieldE15 = LanOnly;

const Dns kForeign{.name = "www.other.example"};
const Dns kNode{.name = "n1.localcluster"};
const Dns kByAlias{.name = "node.home.example"};

TEST_F(FieldE3, RecursionIsForTheLanAndNotForWhatTheGatewayMasquerades) {
  EXPECT_EQ(ReasonFor(kLanHost, kForeign), "dns_forwarded");
  EXPECT_EQ(ReasonFor(kClient4, kForeign), "dns_refused");
  EXPECT_EQ(ReasonFor(kGateway4, kForeign), "dns_gateway");
  Dns undesired = kForeign;
  undesired.flags = 0;
  EXPECT_EQ(ReasonFor(kGateway4, undesired), "dns_refused");
  Allow({{kGateway4, 32}});
  EXPECT_EQ(ReasonFor(kGateway4, kForeign), "dns_forwarded");
}

TEST_F(FieldE3, TheGatewayIsLimited) {
  snapshot_.dns_limit = {.rate = kRate, .slip = 0};
  const auto limited = [this](const Ipv4Address& source) {
    DnsLimiter limiter(kFlowSeed);
    int count = 0;
    for (uint32_t i = 0; i < 10 * kRate; ++i) count += Ask(source, kByAlias, &limiter).reason == Reason::dns_limited;
    return count;
  };
  EXPECT_EQ(limited(kLanHost), 0);
  EXPECT_GT(limited(kGateway4), 0);
}

TEST_F(FieldE3, TheGatewaysAddressIsNoEcho) {
  auto authority = std::make_shared<DnsAuthority>(*snapshot_.dns);
  authority->echo = DnsNameBuffer(std::string_view(Wire("address.localcluster")));
  snapshot_.dns = std::move(authority);
  const Dns echo{.name = "address.localcluster"};
  EXPECT_EQ(ReasonFor(kClient4, echo), "dns_answer");  // other clusters ask it over the Internet
  EXPECT_EQ(ReasonFor(kGateway4, echo), "dns_gateway");
}

TEST_F(FieldE15, TheClustersOwnNamesAreForTheLan) {
  EXPECT_EQ(ReasonFor(kLanHost, kNode), "dns_answer");
  EXPECT_EQ(ReasonFor(kClient4, kNode), "dns_refused");
  EXPECT_EQ(ReasonFor(kGateway4, kNode), "dns_gateway");
}

TEST_F(FieldE15, NoAliasLeadsOthersThere) {
  const Outcome host = Ask(kLanHost, kByAlias);
  const Outcome stranger = Ask(kClient4, kByAlias);
  EXPECT_EQ(NameOf(host.reason), "dns_answer");
  EXPECT_EQ(NameOf(stranger.reason), "dns_answer");  // with the alias alone
  EXPECT_GT(host.frame.size(), stranger.frame.size());
}

}  // namespace
}  // namespace qure::testing
