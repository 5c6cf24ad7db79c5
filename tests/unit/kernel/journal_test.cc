// Whatever is changed in the kernel is given back, by the process itself or by the next.
#include "control/kernel/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "control/kernel/lan_interface.h"
#include "tests/unit/kernel/support.h"

namespace qure {
namespace {

using namespace qure::testing;  // NOLINT: the namespace and what `ip` says of it
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr uint8_t kProtocol = 81;
const KernelSetting kIgnore = Sysctl("net/ipv4/conf/lan0/arp_ignore");

class FieldD6 : public NamespaceTest {
 protected:
  std::unique_ptr<KernelJournal> Open() const { return KernelJournal::Open(data_.path()); }
  std::string file() const { return data_ / "kernel.journal"; }
  std::string Text() const {
    std::ifstream stream(file());
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  bool Offloads(const std::string& name) const {
    return Output("ethtool -k lan0").find("\n" + name + ": on") != std::string::npos;
  }
};

TEST_F(FieldD6, ASettingIsWrittenDownBeforeItIsMade) {
  const auto journal = Open();
  ASSERT_TRUE(journal->Set({{kIgnore, "1"}}).ok());
  EXPECT_EQ(Value("ipv4/conf/lan0/arp_ignore"), "1");
  EXPECT_THAT(Text(), HasSubstr("setting\tsysctl\t-\tnet/ipv4/conf/lan0/arp_ignore\t0\t1\n"));
}

TEST_F(FieldD6, AStopGivesEverythingBack) {
  ASSERT_NO_FATAL_FAILURE(Run("ethtool -K lan0 gro on"));
  ASSERT_NO_FATAL_FAILURE(Run("ip link set lan0 down"));
  {
    const auto journal = Open();
    ASSERT_TRUE(PrepareLanInterface("lan0", std::nullopt, journal.get()).ok());
    ASSERT_TRUE(journal->Set({{LinkFlag("lan0", "noarp"), "1"}, {kIgnore, "1"}}).ok());
    EXPECT_TRUE(HasFlag("lan0", "UP"));
    EXPECT_TRUE(HasFlag("lan0", "PROMISC"));
    EXPECT_TRUE(HasFlag("lan0", "NOARP"));
    EXPECT_FALSE(Offloads("generic-receive-offload"));
  }
  EXPECT_FALSE(HasFlag("lan0", "UP"));
  EXPECT_FALSE(HasFlag("lan0", "PROMISC"));
  EXPECT_FALSE(HasFlag("lan0", "NOARP"));
  EXPECT_TRUE(Offloads("generic-receive-offload"));
  EXPECT_EQ(Value("ipv4/conf/lan0/arp_ignore"), "0");
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(FieldD6, TheNextProcessUndoesWhatAKilledOneLeft) {
  ASSERT_TRUE(Open().release()->Set({{kIgnore, "2"}}).ok());  // NOLINT: killed
  const auto next = Open();
  EXPECT_THAT(next->Undo(), ElementsAre(HasSubstr("arp_ignore")));
  EXPECT_EQ(Value("ipv4/conf/lan0/arp_ignore"), "0");
  EXPECT_THAT(next->Undo(), IsEmpty());
}

// Killed, started and killed again: the first value is the operator's.
TEST_F(FieldD6, TheFirstValueIsTheOnesGivenBack) {
  ASSERT_TRUE(Open().release()->Set({{kIgnore, "1"}}).ok());  // NOLINT: killed
  KernelJournal* const second = Open().release();             // NOLINT: killed as well, before it has undone anything
  ASSERT_TRUE(second->Set({{kIgnore, "2"}}).ok());
  Open()->Undo();
  EXPECT_EQ(Value("ipv4/conf/lan0/arp_ignore"), "0");
}

TEST_F(FieldD6, WhatSomebodyElseHasSetSinceStays) {
  {
    const auto journal = Open();
    ASSERT_TRUE(journal->Set({{kIgnore, "1"}}).ok());
    Run("echo 8 >/proc/sys/net/ipv4/conf/lan0/arp_ignore");
    EXPECT_THAT(journal->Changed(), ElementsAre(std::pair(kIgnore, std::string("1"))));
  }
  EXPECT_EQ(Value("ipv4/conf/lan0/arp_ignore"), "8");
}

TEST_F(FieldD6, WhatIsSoAlreadyIsNotOurs) {
  Run("echo 1 >/proc/sys/net/ipv4/conf/lan0/arp_ignore");
  {
    const auto journal = Open();
    ASSERT_TRUE(journal->Set({{kIgnore, "1"}}).ok());
    EXPECT_TRUE(journal->empty());
  }
  EXPECT_EQ(Value("ipv4/conf/lan0/arp_ignore"), "1");
}

TEST_F(FieldD6, RoutesAndRulesWithOurNumberGo) {
  Open().release()->NoteOurs(kProtocol);  // NOLINT: killed
  Run("ip rule add from 198.51.100.99 lookup 5351 priority 5351 proto 81");
  Run("ip route add 203.0.113.0/24 dev lan0 table 5351 proto 81");
  Run("ip rule add from 192.0.2.7 lookup 77 priority 77");
  EXPECT_THAT(Open()->Undo(), SizeIs(1));
  EXPECT_THAT(Rules("-4"), IsEmpty());
  EXPECT_THAT(Output("ip rule show"), HasSubstr("from 192.0.2.7"));
  EXPECT_THAT(Routes("-4", "5351"), IsEmpty());
}

TEST_F(FieldD6, AddressesAndRoutesComeBackAsTheyWere) {
  Run("ip addr add 198.51.100.11/24 dev lan0 valid_lft 3600 preferred_lft 1800");
  Run("ip -6 addr add 2001:db8:2::11/64 dev lan0 nodad");
  Run("ip route add default via 198.51.100.1 dev lan0 metric 100 proto dhcp src 198.51.100.11");
  Run("ip route add 203.0.113.0/24 via 198.51.100.9 dev lan0");
  Run("ip -6 route add default via 2001:db8:2::1 dev lan0 metric 1024 proto static");
  const auto routes = [] { return Output("ip route show dev lan0; ip -6 route show dev lan0 | sed /^fe80/d"); };
  const std::string before = routes();
  const auto netlink = Netlink::Connect(kProtocol);
  ASSERT_TRUE(netlink.ok());
  const int link = (*netlink)->FindLink("lan0")->index;
  KernelJournal* const journal = Open().release();  // NOLINT: killed
  const auto routes_before = (*netlink)->ForeignRoutes(link);
  ASSERT_TRUE(routes_before.ok());
  for (const ForeignRoute& route : *routes_before) {
    journal->NoteRemoval("lan0", route);
    ASSERT_TRUE((*netlink)->Remove(link, route).ok());
  }
  const auto addresses_before = (*netlink)->ForeignAddresses(link);
  ASSERT_TRUE(addresses_before.ok());
  for (const ForeignAddress& address : *addresses_before) {
    journal->NoteRemoval("lan0", address);
    ASSERT_TRUE((*netlink)->Remove(link, address).ok());
  }
  EXPECT_THAT(Addresses("lan0"), IsEmpty());
  EXPECT_THAT(routes(), Not(HasSubstr("default")));
  Open()->Undo();
  EXPECT_THAT(Addresses("lan0"), ElementsAre("198.51.100.11/24", "2001:db8:2::11/64"));
  EXPECT_EQ(routes(), before);
  EXPECT_THAT(Output("ip addr show dev lan0"), HasSubstr("dynamic"));
}

TEST_F(FieldD6, AnotherBootIsForgotten) {
  ASSERT_TRUE(Open().release()->Set({{kIgnore, "1"}}).ok());  // NOLINT: killed
  std::string text = Text();
  text[text.find('\t') + 1] ^= 1;
  std::ofstream(file()) << text;
  EXPECT_THAT(Open()->Undo(), IsEmpty());
  EXPECT_EQ(Value("ipv4/conf/lan0/arp_ignore"), "1");
}

TEST_F(FieldD6, AMissingInterfaceIsNoError) {
  ASSERT_TRUE(Open().release()->Set({{LinkFlag("lan0", "noarp"), "1"}, {kIgnore, "1"}}).ok());  // NOLINT: killed
  Run("ip link del lan0");
  EXPECT_THAT(Open()->Undo(), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(file()));
}

// It serves on, and undoes what it remembers.
TEST_F(FieldD6, AFileThatCannotBeWrittenIsNoError) {
  std::filesystem::create_directory(file());
  {
    const auto journal = Open();
    ASSERT_TRUE(journal->Set({{kIgnore, "1"}}).ok());
    EXPECT_EQ(Value("ipv4/conf/lan0/arp_ignore"), "1");
  }
  EXPECT_EQ(Value("ipv4/conf/lan0/arp_ignore"), "0");
}

TEST(KernelJournalLine, EveryLineIsReadAsItWasWritten) {
  for (const char* line :
       {"setting\tsysctl\t-\tnet/ipv4/conf/lan0/arp_ignore\t0\t1", "setting\tflag\teth0\tnoarp\t0\t1",
        "setting\toffload\teth0\trx-gro-hw\t1\t0", "setting\tqueues\teth0\treceive\t4\t1", "ours\t81",
        "address\teth0\t198.51.100.11/24\t3600\t1800", "route\teth0\t0.0.0.0/0\t198.51.100.1\t-\t100\t16\t-",
        "route\teth0\t2001:db8::/32\t-\t2001:db8:2::11\t1024\t4\tonlink"}) {
    const auto change = FromLine(line);
    ASSERT_TRUE(change) << line;
    EXPECT_EQ(ToLine(*change), line);
  }
  for (const char* line : {"", "ours", "ours\t256", "setting\tflag\teth0", "address\teth0\tx\t1\t1", "route\teth0"}) {
    EXPECT_FALSE(FromLine(line)) << line;
  }
}

}  // namespace
}  // namespace qure
