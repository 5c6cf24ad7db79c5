#include "control/names/mdns_publication.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "proto/dns/message.h"
#include "proto/dns/name.h"

namespace qure {
namespace {

std::string Text(const std::string& name) {
  return DnsNameToText({reinterpret_cast<const uint8_t*>(name.data()), name.size()});
}

class MdnsPublicationTest : public testing::Test {
 protected:
  MdnsPublicationTest() {
    facts_.cluster = "home";
    facts_.nodes = {{.name = "n1", .role = NodeRole::kMaster, .address = ParseIp("192.0.2.1")->v4(), .alive = true}};
    facts_.service_addresses = {*ParseIp("192.0.2.50"), *ParseIp("2001:db8::50")};
    facts_.services = {{.name = "web", .port = 8080, .addresses = facts_.service_addresses}};
    config_.services.resize(1);
    config_.services[0].name = "web";
    config_.services[0].mdns = "_http._tcp";
    config_.services[0].txt = {"path=/"};
  }
  // Names and types as text, with the rdata.
  std::multimap<std::string, std::string> Make() {
    std::multimap<std::string, std::string> made;
    for (const MdnsEntry& entry : MakeMdnsPublication(facts_, config_, taken_)) {
      made.emplace(Text(entry.record.name) + " " + std::to_string(entry.record.type), entry.record.rdata);
      EXPECT_EQ(entry.lasting, entry.record.name != *DnsNameToWire("n1.local") &&
                                   entry.record.name != *DnsNameToWire("1.2.0.192.in-addr.arpa"));
    }
    return made;
  }

  ClusterFacts facts_;
  ClusterConfig config_;
  std::set<std::string> taken_;
};

TEST_F(MdnsPublicationTest, AMemberPublishesItselfOnly) {
  const std::multimap<std::string, std::string> expected = {{"n1.local. 1", "\xc0" + std::string("\0\2\1", 3)},
                                                            {"1.2.0.192.in-addr.arpa. 12", *DnsNameToWire("n1.local")}};
  EXPECT_EQ(Make(), expected);
}

TEST_F(MdnsPublicationTest, TheMasterPublishesTheClusterAndItsServices) {
  facts_.master = true;
  const auto made = Make();
  const std::string instance = "home\\032web._http._tcp.local.";
  const std::string wire = "\x08home web" + *DnsNameToWire("_http._tcp.local");
  EXPECT_EQ(made.count("home.local. 1"), 1u);
  EXPECT_EQ(made.count("home.local. 28"), 1u);
  ASSERT_EQ(made.count(instance + " 33"), 1u);
  EXPECT_EQ(made.find(instance + " 33")->second, std::string("\0\0\0\0\x1f\x90", 6) + *DnsNameToWire("home.local"));
  EXPECT_EQ(made.find(instance + " 16")->second, "\6path=/");
  EXPECT_EQ(made.find("_http._tcp.local. 12")->second, wire);
  EXPECT_EQ(made.find("_services._dns-sd._udp.local. 12")->second, *DnsNameToWire("_http._tcp.local"));
  config_.services[0].mdns.clear();
  EXPECT_EQ(Make().count("_http._tcp.local. 12"), 0u);
}

TEST_F(MdnsPublicationTest, AReverseNameOfAnotherHostIsNotPublished) {
  taken_ = {*DnsNameToWire("1.2.0.192.in-addr.arpa")};
  EXPECT_EQ(Make().count("1.2.0.192.in-addr.arpa. 12"), 0u);
  EXPECT_EQ(Make().count("n1.local. 1"), 1u);
}

TEST_F(MdnsPublicationTest, ANodeNamedLikeTheClusterPublishesNoHost) {
  facts_.nodes[0].name = "Home";
  EXPECT_TRUE(Make().empty());
}

TEST_F(MdnsPublicationTest, UsesTheNextFreeNameIfAnotherHostHasIt) {
  facts_.master = true;
  taken_ = {*DnsNameToWire("home.local"), *DnsNameToWire("home-2.local"),
            "\x08home web" + *DnsNameToWire("_http._tcp.local")};
  const auto made = Make();
  EXPECT_EQ(made.count("home.local. 1"), 0u);
  EXPECT_EQ(made.count("home-3.local. 1"), 1u);
  EXPECT_EQ(made.find("_http._tcp.local. 12")->second, "\x0chome web (2)" + *DnsNameToWire("_http._tcp.local"));
}

}  // namespace
}  // namespace qure
