#include "control/names/mdns_publication.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "control/names/message_budget.h"
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
    facts_.nodes = {{.name = "n1", .role = NodeRole::kMaster, .addresses = {*ParseIp("192.0.2.1")}, .alive = true}};
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

TEST(FieldE16, NamesThatOthersTakeAreForgottenSomeTime) {
  std::set<std::string> taken;
  for (size_t i = 0; i < 10 * kMostTaken; ++i) {
    const std::string name = std::to_string(i);
    AddTaken({name}, &taken);
    EXPECT_LE(taken.size(), kMostTaken);
    EXPECT_TRUE(taken.contains(name)) << "what was lost last is not tried next";
  }
  std::set<std::string> many;
  for (size_t i = 0; i < 2 * kMostTaken; ++i) many.insert(std::to_string(i));
  AddTaken(many, &taken);
  EXPECT_LE(taken.size(), kMostTaken);
}

TEST(FieldE16, AFloodIsReadAtABoundedRate) {
  MessageBudget budget(Milliseconds(5), 400);
  MonoTime now{Seconds(1000).ns};
  size_t taken = 0;
  for (const MonoTime end = now + Seconds(10); now < end; ++taken) now = std::max(now, budget.Take(now));
  EXPECT_GE(taken, 400u + 1990u);
  EXPECT_LE(taken, 400u + 2010u);
  now = now + Seconds(60);  // quiet: the whole burst is there again
  for (int i = 0; i < 400; ++i) EXPECT_EQ(budget.Take(now), now) << i;
  EXPECT_GT(budget.Take(now), now);
}

class Published : public MdnsPublicationTest {
 public:
  void TestBody() override {}
  using MdnsPublicationTest::config_;
  using MdnsPublicationTest::facts_;
  using MdnsPublicationTest::taken_;

  std::set<std::string> NamesAndTypes() {
    std::set<std::string> made;
    for (const MdnsEntry& entry : MakeMdnsPublication(facts_, config_, taken_)) {
      made.insert(Text(entry.record.name) + " " + std::to_string(entry.record.type));
    }
    return made;
  }
};

TEST(FieldA5, AHostIsPublishedWithTheAddressesThatItHas) {
  Published host;
  const std::string reverse6 = "1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 12";
  const std::set<std::string> v6 = {"n1.local. 28", reverse6};
  host.facts_.nodes[0].addresses = {*ParseIp("2001:db8::11")};
  EXPECT_EQ(host.NamesAndTypes(), v6);
  host.facts_.nodes[0].addresses = {*ParseIp("192.0.2.1"), *ParseIp("2001:db8::11")};
  const std::set<std::string> both = {"n1.local. 1", "1.2.0.192.in-addr.arpa. 12", "n1.local. 28", reverse6};
  EXPECT_EQ(host.NamesAndTypes(), both);
  host.facts_.nodes[0].addresses = {};
  EXPECT_THAT(host.NamesAndTypes(), testing::IsEmpty());
}

// The responder says by NSEC which types there are: what is published decides (RFC 6762 §6.1).
TEST(FieldA5, TheTypesThatAreDeniedAreThoseThatTheHostLacks) {
  Published host;
  host.facts_.nodes[0].addresses = {*ParseIp("2001:db8::11")};
  MdnsResponder responder(1);
  MonoTime now{Seconds(1000).ns};
  const auto settle = [&] {
    for (const MonoTime end = now + Seconds(10); now < end; now = std::min(end, responder.NextDeadline())) {
      responder.OnTime(now);
    }
    responder.TakeSendings();
  };
  responder.Publish(MakeMdnsPublication(host.facts_, host.config_, host.taken_), false, now);
  settle();
  MdnsMessage query;
  query.questions = {{.name = *DnsNameToWire("n1.local"), .type = kDnsTypeA}};
  responder.OnMessage(WriteMdns(query), {*ParseIp("192.0.2.7"), kMdnsPort}, now);
  responder.OnTime(now + Seconds(1));
  const auto sent = responder.TakeSendings();
  ASSERT_EQ(sent.size(), 1u);
  const auto answer = ParseMdns(sent[0].message);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->answers.size(), 1u);
  EXPECT_EQ(answer->answers[0].type, kDnsTypeNsec);
  // RFC 4034 §4.1.2: block 0, 4 bytes, type 28 alone
  EXPECT_EQ(answer->answers[0].rdata, *DnsNameToWire("n1.local") + std::string("\0\4\0\0\0\x08", 6));
}

}  // namespace
}  // namespace qure
