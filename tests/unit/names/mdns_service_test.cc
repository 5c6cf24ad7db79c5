// Against a real kernel, in a network namespace of the test's own: a veth pair, and the LAN at its far end.
#include "control/names/mdns_service.h"

#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <asio/ip/multicast.hpp>
#include <asio/ip/udp.hpp>

#include "control/names/address.h"
#include "control/names/clock.h"
#include "proto/dns/message.h"
#include "proto/dns/name.h"

namespace qure::test {
namespace {

using asio::ip::udp;

constexpr Duration kPatience = Seconds(20);
const asio::ip::address_v6 kGroup = asio::ip::make_address_v6("ff02::fb");
const std::string kNode = DnsNameToWire("n1.local").value();

// A host of the LAN that sends from `address`, or receives messages to the group.
udp::socket Host(asio::io_context& io, const std::string& address) {
  const unsigned index = if_nametoindex("far0");
  udp::socket host(io, udp::v6());
  host.set_option(udp::socket::reuse_address(true));
  host.set_option(asio::ip::multicast::outbound_interface(index));
  host.set_option(asio::ip::multicast::join_group(kGroup, index));
  host.bind({asio::ip::make_address(address), kMdnsPort});
  host.non_blocking(true);
  return host;
}

void Send(const MdnsMessage& message, udp::socket* host) {
  host->send_to(asio::buffer(WriteMdns(message)), {kGroup, kMdnsPort});
}

// Whether it has received an answer with the types of a name.
bool HearsTypes(udp::socket* host) {
  std::array<uint8_t, 1500> bytes;
  asio::error_code none;
  const size_t length = host->receive(asio::buffer(bytes), 0, none);
  const auto message = none ? std::nullopt : ParseMdns(ConstBytes(bytes).first(length));
  return message && std::ranges::count(message->answers, kDnsTypeNsec, &MdnsRecord::type) > 0;
}

class MdnsServiceTest : public ::testing::Test {
 protected:
  // In a thread of its own, because the namespace belongs to the thread.
  static void InNewNetworkNamespace(const std::function<void()>& body) {
    bool allowed = false;
    std::thread([&] {
      allowed = unshare(CLONE_NEWNET) == 0;
      if (allowed) body();
    }).join();
    if (!allowed) GTEST_SKIP() << "needs root";
  }
  static void Run(const std::string& command) { ASSERT_EQ(std::system(command.c_str()), 0) << command; }

  void Until(const std::function<bool()>& done) {
    const MonoTime until = SteadyNow() + kPatience;
    while (!done()) {
      ASSERT_LT(SteadyNow(), until);
      io_.run_one_for(std::chrono::milliseconds(20));
    }
  }

  asio::io_context io_;
};

bool Settled(const MdnsService& service) {
  const nlohmann::ordered_json link = service.Show().at("links").at(1);
  EXPECT_EQ(link.at("family"), "ipv6");
  return link.at("open") && link.at("settled");
}

bool Knows(const MdnsService& service, const std::string& own) {
  const auto addresses = service.Show().at("links").at(1).at("own_addresses").get<std::vector<std::string>>();
  return std::ranges::count(addresses, own) > 0;
}

TEST_F(MdnsServiceTest, AMessageFromAnAddressOfThisNodeIsNoConflict) {
  InNewNetworkNamespace([this] {
    Run("ip link add lan0 type veth peer name far0 && ip link set far0 up && ip link set lan0 up");
    Run("ip addr add 2001:db8:2::11/64 dev lan0 nodad && ip addr add 2001:db8:2::7/64 dev far0 nodad");
    ClusterFacts facts;
    facts.cluster = "home";
    facts.nodes = {{.name = "n1", .role = NodeRole::kMember, .addresses = {*ParseIp("192.0.2.11")}, .alive = true}};
    MdnsService service(io_, "lan0", 1);
    service.OnFacts(facts);
    service.Configure({.name = "home"});
    Until([&] { return Settled(service); });
    Run("ip addr add 2001:db8:2::12/64 dev lan0 nodad");  // addresses may be added after the link is up
    Until([&] { return Knows(service, "2001:db8:2::12"); });

    const MdnsMessage conflict = {.flags = kDnsFlagResponse | kDnsFlagAuthoritative,
                                  .answers = {{kNode, kDnsTypeA, "\xc0\2\1\7", 120, true}}};
    const MdnsMessage query = {.questions = {{.name = kNode, .type = kDnsTypeTxt}}};
    udp::socket self = Host(io_, "2001:db8:2::11");
    udp::socket later = Host(io_, "2001:db8:2::12");
    udp::socket other = Host(io_, "2001:db8:2::7");
    udp::socket group = Host(io_, "::");
    Send(conflict, &self);
    Send(conflict, &later);
    Send(query, &other);
    Until([&] { return HearsTypes(&group); });  // the conflict came first, and only names of this host get answers
    EXPECT_TRUE(Settled(service));
    Send(conflict, &other);
    Until([&] { return !Settled(service); });
  });
}

}  // namespace
}  // namespace qure::test
