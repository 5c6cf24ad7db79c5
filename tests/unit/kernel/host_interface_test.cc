// Against a real kernel.
#include "control/kernel/host_interface.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "control/base/text.h"
#include "control/kernel/journal.h"
#include "tests/unit/kernel/support.h"

namespace qure {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

using namespace qure::testing;  // NOLINT: the namespace and what `ip` says of it

class HostInterfaceTest : public NamespaceTest {
 protected:
  void SetUp() override {
    NamespaceTest::SetUp();
    if (IsSkipped()) return;
    journal_ = KernelJournal::Open(data_.path());
    options_.journal = journal_.get();
    options_.lan_interface = "lan0";
    options_.mtu = 1400;
    options_.node_addresses = {Prefix("198.51.100.11/24"), Prefix("2001:db8:2::11/64")};
    options_.gateways = {Ip("198.51.100.1"), Ip("2001:db8:2::1")};
  }

  std::unique_ptr<HostInterface> Create() const {
    auto host = HostInterface::Create(options_);
    EXPECT_TRUE(host.ok()) << host.status();
    return host.ok() ? *std::move(host) : nullptr;
  }

  static void Set(HostInterface* host, const std::vector<IpPrefix>& addresses) {
    const absl::Status status = host->SetServiceAddresses(addresses);
    EXPECT_TRUE(status.ok()) << status;
  }

  // As a process ends: the host interface first, then what the journal has.
  void End(std::unique_ptr<HostInterface> host) {
    host.reset();
    journal_.reset();
  }

  std::unique_ptr<KernelJournal> journal_;
  HostInterfaceOptions options_;
  const std::vector<IpPrefix> both_ = {Prefix("198.51.100.50/24"), Prefix("2001:db8:2::50/64")};
};

TEST_F(HostInterfaceTest, BringsUpTheInterface) {
  const auto host = Create();
  ASSERT_NE(host, nullptr);
  EXPECT_TRUE(HasFlag("qure0", "UP"));
  EXPECT_EQ(IpJson("link show dev qure0").at(0).at("mtu"), 1400);
  EXPECT_THAT(Addresses("qure0"), UnorderedElementsAre("198.51.100.11/24", "2001:db8:2::11/64"));
  EXPECT_EQ(Value("ipv4/conf/qure0/arp_ignore"), "1");
  EXPECT_EQ(Value("ipv4/conf/qure0/arp_announce"), "2");
  EXPECT_EQ(Value("ipv4/conf/qure0/rp_filter"), "2");
  EXPECT_EQ(Value("ipv6/conf/qure0/addr_gen_mode"), "0");
  EXPECT_EQ(Value("ipv6/conf/qure0/accept_dad"), "0");
}

TEST_F(HostInterfaceTest, DefaultRoutesUseTheNodeAddressAsSource) {
  const auto host = Create();
  ASSERT_NE(host, nullptr);
  EXPECT_THAT(Routes("-4", "main"), ElementsAre("default via 198.51.100.1 src 198.51.100.11 dev qure0"));
  EXPECT_THAT(Routes("-6", "main"), ElementsAre("default via 2001:db8:2::1 src 2001:db8:2::11 dev qure0"));
}

TEST_F(HostInterfaceTest, SetsServiceAddressesWithRulesAndRoutes) {
  const auto host = Create();
  ASSERT_NE(host, nullptr);
  Set(host.get(), both_);
  EXPECT_THAT(Addresses("qure0"),
              UnorderedElementsAre("198.51.100.11/24", "198.51.100.50/32", "2001:db8:2::11/64", "2001:db8:2::50/128"));
  EXPECT_THAT(Rules("-4"), ElementsAre("from 198.51.100.50 lookup 5351 priority 5351"));
  EXPECT_THAT(Rules("-6"), ElementsAre("from 2001:db8:2::50 lookup 5351 priority 5351"));
  EXPECT_THAT(Routes("-4", "5351"), UnorderedElementsAre("default via 198.51.100.1 dev qure0", "198.51.100.1 dev qure0",
                                                         "198.51.100.0/24 dev qure0", "192.0.0.8 dev qure0"));
  EXPECT_THAT(Routes("-6", "5351"),
              UnorderedElementsAre("default via 2001:db8:2::1 dev qure0", "2001:db8:2::1 dev qure0",
                                   "2001:db8:2::/64 dev qure0", "fe80::/64 dev qure0", "100::1 dev qure0"));
}

TEST_F(HostInterfaceTest, ServiceAddressesAreUsableAtOnce) {
  const auto host = Create();
  ASSERT_NE(host, nullptr);
  Set(host.get(), both_);
  const json info = AddressInfo("2001:db8:2::50");
  EXPECT_FALSE(info.contains("tentative")) << info;
  EXPECT_TRUE(info.value("nodad", false)) << info;
}

TEST_F(HostInterfaceTest, KernelNeverChoosesAServiceAddressAsSource) {
  const auto host = Create();
  ASSERT_NE(host, nullptr);
  Set(host.get(), both_);
  EXPECT_TRUE(AddressInfo("2001:db8:2::50").value("deprecated", false));
  for (const char* target : {"198.51.100.77", "192.0.2.1"}) {
    EXPECT_EQ(IpJson(std::string("route get ") + target).at(0).at("prefsrc"), "198.51.100.11") << target;
  }
  for (const char* target : {"2001:db8:2::77", "2001:db8:ffff::1"}) {
    EXPECT_EQ(IpJson(std::string("-6 route get ") + target).at(0).at("prefsrc"), "2001:db8:2::11") << target;
  }
}

TEST_F(HostInterfaceTest, AnswersFromServiceAddressesLeaveThroughTheHostPort) {
  options_.mode = LanMode::kShared;
  options_.node_addresses.clear();
  Run("ip addr add 198.51.100.11/24 dev lan0 && ip route add default via 198.51.100.1 dev lan0");
  Run("ip addr add 2001:db8:2::11/64 dev lan0 nodad && ip route add default via 2001:db8:2::1 dev lan0");
  const auto host = Create();
  ASSERT_NE(host, nullptr);
  Set(host.get(), both_);
  const json answer = IpJson("route get 192.0.2.1 from 198.51.100.50").at(0);
  EXPECT_EQ(answer.at("dev"), "qure0");
  EXPECT_EQ(answer.at("gateway"), "198.51.100.1");
  const json answer6 = IpJson("-6 route get 2001:db8:ffff::1 from 2001:db8:2::50").at(0);
  EXPECT_EQ(answer6.at("dev"), "qure0");
  EXPECT_EQ(answer6.at("gateway"), "2001:db8:2::1");
  EXPECT_EQ(IpJson("route get 192.0.2.1").at(0).at("dev"), "lan0");
  EXPECT_EQ(IpJson("-6 route get 2001:db8:ffff::1").at(0).at("dev"), "lan0");
  EXPECT_EQ(IpJson("route get 198.51.100.77").at(0).at("prefsrc"), "198.51.100.11");
}

TEST_F(HostInterfaceTest, RemovesWhatIsNoLongerWanted) {
  const auto host = Create();
  ASSERT_NE(host, nullptr);
  Set(host.get(), both_);
  Set(host.get(), {Prefix("198.51.100.51/24")});
  EXPECT_THAT(Addresses("qure0"), UnorderedElementsAre("198.51.100.11/24", "198.51.100.51/32", "2001:db8:2::11/64"));
  EXPECT_THAT(Rules("-4"), ElementsAre("from 198.51.100.51 lookup 5351 priority 5351"));
  EXPECT_THAT(Rules("-6"), IsEmpty());
  EXPECT_THAT(Routes("-6", "5351"), IsEmpty());
  Set(host.get(), {});
  EXPECT_THAT(Addresses("qure0"), UnorderedElementsAre("198.51.100.11/24", "2001:db8:2::11/64"));
  EXPECT_THAT(Rules("-4"), IsEmpty());
  EXPECT_THAT(Routes("-4", "5351"), IsEmpty());
}

// Retries until `condition` holds, for 5 s at most.
template <typename Condition>
void WaitFor(Condition condition, const std::string& what) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << what;
    std::this_thread::yield();
  }
}

// Waits until the kernel has made its own changes after an interface comes up.
void WaitForLinkLocal() {
  const auto settled = [] {
    for (const json& info : AddressInfos("qure0")) {
      if (info.at("scope") == "link" && !info.contains("tentative")) return true;
    }
    return false;
  };
  WaitFor(settled, "link-local address of qure0");
}

// What the kernel reports about qure0, lan0 and rules while `change` runs.
template <typename Change>
std::string Monitored(Change change) {
  WaitForLinkLocal();
  const std::string file = ::testing::TempDir() + "/qure-monitor-" + std::to_string(getpid());
  const std::string pid = Output("exec ip monitor address route rule >" + file + " & echo $!");
  const auto events = [&file] {
    std::ifstream stream(file);
    return std::string(std::istreambuf_iterator<char>(stream), {});
  };
  // Routes as markers: the monitor runs when it has reported the first, and has reported all changes before the second.
  const auto mark = [&events](const std::string& address) {
    WaitFor(
        [&] {
          EXPECT_EQ(
              std::system(("ip route replace blackhole " + address + " && ip route del blackhole " + address).c_str()),
              0);
          return events().find(address) != std::string::npos;
        },
        address);
  };
  mark("192.0.2.101");
  change();
  mark("192.0.2.102");
  EXPECT_EQ(std::system(("kill " + pid).c_str()), 0);
  std::string matching;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    const auto names = [&line](const char* word) { return line.find(word) != std::string::npos; };
    if (names("qure0") || names("lan0") || names("lookup")) matching += line + "\n";
  }
  std::remove(file.c_str());
  return matching;
}

TEST_F(HostInterfaceTest, RepetitionChangesNothing) {
  const auto host = Create();
  ASSERT_NE(host, nullptr);
  Set(host.get(), both_);
  EXPECT_EQ(Monitored([&] {
              Set(host.get(), both_);
              EXPECT_TRUE(host->SetGateways(options_.gateways).ok());
            }),
            "");
}

TEST_F(HostInterfaceTest, TouchesNoAddressThatStays) {
  const auto host = Create();
  ASSERT_NE(host, nullptr);
  Set(host.get(), both_);
  const std::string events = Monitored([&] { Set(host.get(), {both_[0], Prefix("198.51.100.51/24")}); });
  EXPECT_THAT(events, ::testing::HasSubstr("198.51.100.51"));
  EXPECT_THAT(events, Not(::testing::HasSubstr("198.51.100.50")));
}

TEST_F(HostInterfaceTest, NewGatewaysTakeEffectAtOnce) {
  const auto host = Create();
  ASSERT_NE(host, nullptr);
  Set(host.get(), both_);
  EXPECT_TRUE(host->SetGateways({Ip("198.51.100.254"), Ip("fe80::1")}).ok());
  EXPECT_THAT(Routes("-4", "5351"),
              UnorderedElementsAre("default via 198.51.100.254 dev qure0", "198.51.100.254 dev qure0",
                                   "198.51.100.0/24 dev qure0", "192.0.0.8 dev qure0"));
  EXPECT_THAT(Routes("-4", "main"), ElementsAre("default via 198.51.100.254 src 198.51.100.11 dev qure0"));
  EXPECT_THAT(Routes("-6", "5351"), Contains("default via fe80::1 dev qure0"));
  EXPECT_TRUE(host->SetGateways({}).ok());
  EXPECT_THAT(Routes("-4", "main"), IsEmpty());
}

TEST_F(HostInterfaceTest, TakesAGatewayOutsideOfEveryPrefix) {
  options_.node_addresses = {Prefix("198.51.100.11/32")};
  options_.gateways = {Ip("203.0.113.1")};
  const auto host = Create();
  ASSERT_NE(host, nullptr);
  Set(host.get(), {Prefix("198.51.100.50/32")});
  EXPECT_THAT(Routes("-4", "5351"), UnorderedElementsAre("default via 203.0.113.1 dev qure0", "203.0.113.1 dev qure0",
                                                         "192.0.0.8 dev qure0"));
}

TEST_F(HostInterfaceTest, RemovesWhatAKilledProcessLeft) {
  Run("ip link set qure0 up");
  Run("ip addr add 198.51.100.99/32 dev qure0");
  Run("ip rule add from 198.51.100.99 lookup 5351 priority 5351 proto 81");
  Run("ip route add 203.0.113.0/24 dev qure0 table 5351 proto 81");
  Run("ip route add default via 198.51.100.9 onlink dev qure0 proto 81");
  Run("ip -6 rule add from 2001:db8:2::99 lookup 5351 priority 5351 proto 81");
  Run("ip rule add from 192.0.2.7 lookup 77 priority 77");
  const auto host = Create();
  ASSERT_NE(host, nullptr);
  EXPECT_THAT(Addresses("qure0"), Not(Contains("198.51.100.99/32")));
  EXPECT_THAT(Rules("-4"), IsEmpty());
  EXPECT_THAT(Rules("-6"), IsEmpty());
  EXPECT_THAT(Routes("-4", "5351"), IsEmpty());
  EXPECT_THAT(Routes("-4", "main"), ElementsAre("default via 198.51.100.1 src 198.51.100.11 dev qure0"));
  EXPECT_THAT(Output("ip rule show"), ::testing::HasSubstr("from 192.0.2.7")) << "a rule of another program";
}

TEST_F(HostInterfaceTest, LeavesNothingBehind) {
  auto host = Create();
  ASSERT_NE(host, nullptr);
  Set(host.get(), both_);
  host.reset();
  EXPECT_THAT(Addresses("qure0"), IsEmpty());
  for (const char* family : {"-4", "-6"}) {
    EXPECT_THAT(Rules(family), IsEmpty());
    EXPECT_THAT(Routes(family, "5351"), IsEmpty());
    EXPECT_THAT(Routes(family, "main"), IsEmpty());
  }
}

TEST_F(HostInterfaceTest, RemovesItsRulesWithoutTheInterface) {
  auto host = Create();
  ASSERT_NE(host, nullptr);
  Set(host.get(), both_);
  Run("ip link del qure0");
  host.reset();
  EXPECT_THAT(Rules("-4"), IsEmpty());
  EXPECT_THAT(Rules("-6"), IsEmpty());
}

TEST_F(HostInterfaceTest, SilencesTheLanInDedicatedModeAndRestoresIt) {
  const std::string rp_filter = Value("ipv4/conf/lan0/rp_filter");
  auto host = Create();
  ASSERT_NE(host, nullptr);
  EXPECT_TRUE(HasFlag("lan0", "NOARP"));
  EXPECT_EQ(Value("ipv6/conf/lan0/disable_ipv6"), "1");
  EXPECT_EQ(Value("ipv4/conf/lan0/rp_filter"), "1");
  End(std::move(host));
  EXPECT_FALSE(HasFlag("lan0", "NOARP"));
  EXPECT_TRUE(HasFlag("lan0", "UP"));
  EXPECT_EQ(Value("ipv6/conf/lan0/disable_ipv6"), "0");
  EXPECT_EQ(Value("ipv4/conf/lan0/rp_filter"), rp_filter);
}

// The journal's file is all that a killed process leaves.
TEST_F(HostInterfaceTest, RestoresTheLanAfterAKilledProcess) {
  Create().release();  // NOLINT: nothing of it runs any more
  journal_.release();  // NOLINT
  EXPECT_TRUE(HasFlag("lan0", "NOARP"));
  EXPECT_FALSE(KernelJournal::Open(data_.path())->Undo().empty());
  EXPECT_FALSE(HasFlag("lan0", "NOARP"));
  EXPECT_EQ(Value("ipv6/conf/lan0/disable_ipv6"), "0");
  EXPECT_THAT(Routes("-4", "main"), IsEmpty());
}

TEST_F(HostInterfaceTest, LeavesTheLanToTheKernelInSharedMode) {
  options_.mode = LanMode::kShared;
  auto host = Create();
  ASSERT_NE(host, nullptr);
  EXPECT_FALSE(HasFlag("lan0", "NOARP"));
  EXPECT_EQ(Value("ipv6/conf/lan0/disable_ipv6"), "0");
  EXPECT_EQ(Value("ipv4/conf/all/arp_ignore"), "1");
  EXPECT_EQ(Value("ipv4/conf/all/arp_announce"), "2");
  EXPECT_EQ(Value("ipv6/conf/qure0/accept_ra"), "0");
  EXPECT_THAT(Addresses("qure0"), IsEmpty());
  EXPECT_THAT(Routes("-4", "main"), IsEmpty());
  End(std::move(host));
  EXPECT_EQ(Value("ipv4/conf/all/arp_ignore"), "0");
  EXPECT_EQ(Value("ipv4/conf/all/arp_announce"), "0");
}

TEST_F(HostInterfaceTest, SharedModeWorksWithoutALanInterface) {
  options_.lan_interface = "";
  EXPECT_NE(Create(), nullptr);
}

TEST_F(HostInterfaceTest, LeavesAnotherDefaultRouteInPlace) {
  Run("ip addr add 192.0.2.2/24 dev far0 && ip route add default via 192.0.2.1 dev far0");
  const auto host = Create();
  ASSERT_NE(host, nullptr);
  Set(host.get(), both_);
  EXPECT_EQ(IpJson("route show default").at(0).at("gateway"), "192.0.2.1");
  EXPECT_THAT(Rules("-4"), ElementsAre("from 198.51.100.50 lookup 5351 priority 5351"));
}

class FieldA3Host : public HostInterfaceTest {
 protected:
  void SetUp() override {
    HostInterfaceTest::SetUp();
    if (IsSkipped()) return;
    host_ = Create();
    ASSERT_NE(host_, nullptr);
    Set(host_.get(), both_);
  }

  static std::string State() {
    return Output(
        "(ip -o addr show dev qure0 scope global | awk '{print $4}'; ip rule; ip -6 rule;"
        " ip route show table all dev qure0 proto 81; ip -6 route show table all proto 81;"
        " grep . /proc/sys/net/ipv4/conf/all/arp_ignore /proc/sys/net/ipv4/conf/qure0/rp_filter) | sort");
  }

  // What is put back after `harm`; a second look finds nothing missing.
  std::vector<std::string> Mended(const std::string& harm) {
    const std::string before = State();
    Run(harm);
    EXPECT_NE(State(), before) << harm;
    std::vector<std::string> put_back;
    EXPECT_TRUE(host_->PutBack(&put_back).ok()) << harm;
    EXPECT_EQ(State(), before) << harm;
    std::vector<std::string> again;
    EXPECT_TRUE(host_->PutBack(&again).ok()) << harm;
    EXPECT_THAT(again, IsEmpty()) << harm;
    return put_back;
  }

  std::unique_ptr<HostInterface> host_;
};

TEST_F(FieldA3Host, WhatOthersTakeAwayIsPutBack) {
  EXPECT_THAT(Mended("ip addr del 198.51.100.50/32 dev qure0"), ElementsAre(::testing::HasSubstr("198.51.100.50/32")));
  EXPECT_THAT(Mended("ip rule del from 198.51.100.50"), ElementsAre(::testing::HasSubstr("rule from 198.51.100.50")));
  EXPECT_THAT(Mended("ip route del default table 5351"), ElementsAre(::testing::HasSubstr("table 5351")));
  EXPECT_THAT(Mended("ip addr flush dev qure0 scope global"), Not(IsEmpty()));
  EXPECT_THAT(Mended("ip link set qure0 down"), Contains(::testing::HasSubstr("qure0")));
  EXPECT_THAT(Mended("echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore"),
              ElementsAre(::testing::HasSubstr("arp_ignore")));
  EXPECT_THAT(Mended("echo 1 >/proc/sys/net/ipv4/conf/qure0/rp_filter"),
              ElementsAre(::testing::HasSubstr("rp_filter")));
}

TEST_F(FieldA3Host, WhatOthersAddStays) {
  Run("ip addr add 192.0.2.9/32 dev qure0");
  std::vector<std::string> put_back;
  EXPECT_TRUE(host_->PutBack(&put_back).ok());
  EXPECT_THAT(put_back, IsEmpty());
  EXPECT_THAT(Addresses("qure0"), Contains("192.0.2.9/32"));
}

TEST_F(FieldA3Host, TheLanInterfaceIsSetUpAgain) {
  Run("ip link set lan0 down");
  std::vector<std::string> put_back;
  EXPECT_TRUE(host_->PutBack(&put_back).ok());
  EXPECT_THAT(put_back, Contains(::testing::HasSubstr("lan0")));
  EXPECT_TRUE(HasFlag("lan0", "UP"));
}

TEST_F(FieldA3Host, AnInterfaceOfTheSameNameIsAnotherOne) {
  std::vector<std::string> put_back;
  Run("ip link del lan0");
  EXPECT_TRUE(absl::IsNotFound(host_->PutBack(&put_back)));
  Run("ip link add lan0 type veth peer name wire0 && ip link set lan0 up");
  EXPECT_TRUE(absl::IsNotFound(host_->PutBack(&put_back)));
}

TEST_F(HostInterfaceTest, NamesAnInterfaceThatIsMissing) {
  options_.interface = "qure9";
  const absl::Status status = HostInterface::Create(options_).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("interface qure9"));
}

}  // namespace
}  // namespace qure
