// Nothing takes an operator's connection without being told to.
#include "control/kernel/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/kernel/support.h"

namespace qure {
namespace {

using namespace qure::testing;  // NOLINT: the namespace and what `ip` says of it
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class FieldD1 : public NamespaceTest {
 protected:
  void SetUp() override {
    NamespaceTest::SetUp();
    if (IsSkipped()) return;
    Run("ip addr add 198.51.100.11/24 dev lan0");
    Run("ip -6 addr add 2001:db8:2::11/64 dev lan0 nodad");
    Run("ip route add default via 198.51.100.1 dev lan0 proto static metric 100");
    Run("ip -6 route add default via 2001:db8:2::1 dev lan0 proto static");
    Run("ip route add 203.0.113.0/24 via 198.51.100.9 dev lan0");
    journal_ = KernelJournal::Open(data_.path());
    options_.journal = journal_.get();
    options_.lan_interface = "lan0";
    options_.gateways = {Ip("198.51.100.1")};
  }

  // What `take_over` does.
  void Take() {
    options_.taken = UseOf("lan0").value();
    for (const ForeignAddress& address : options_.taken.addresses) options_.node_addresses.push_back(address.address);
  }

  // The kernel makes link-local addresses and their routes in its own time.
  static std::string OnLan() {
    return Output("ip addr show dev lan0 scope global; ip route show; ip -6 route show | grep -v ^fe80 | sort");
  }

  std::unique_ptr<KernelJournal> journal_;
  HostInterfaceOptions options_;
};

TEST_F(FieldD1, AnInterfaceInUseIsRefused) {
  const absl::Status refused = RefuseUse("lan0", UseOf("lan0").value());
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("198.51.100.11/24"), HasSubstr("2001:db8:2::11/64"),
                    HasSubstr("default route via 198.51.100.1"), HasSubstr("203.0.113.0/24"), HasSubstr("take_over")));
}

TEST_F(FieldD1, ARouteAloneIsAUseToo) {
  Run("ip addr flush dev lan0 && ip route flush dev lan0 && ip -6 route flush dev lan0");
  EXPECT_TRUE(RefuseUse("lan0", UseOf("lan0").value()).ok());
  Run("ip route add 203.0.113.0/24 dev lan0");
  EXPECT_FALSE(RefuseUse("lan0", UseOf("lan0").value()).ok());
}

TEST_F(FieldD1, AnInterfaceThatIsNotThereHasNoUse) {
  EXPECT_TRUE(UseOf("lan9").value().empty());
}

TEST_F(FieldD1, ThePlanNamesWhatMoves) {
  Take();
  const std::vector<std::string> lines = PlanLines(options_, {{LinkFlag("lan0", "promisc"), "1"}});
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("198.51.100.11/24"), HasSubstr("lan0"), HasSubstr("qure0"))));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("default route via 198.51.100.1"), HasSubstr("qure0"))));
  EXPECT_THAT(lines, Contains(HasSubstr("flag promisc of lan0: from 0 to 1")));
  EXPECT_THAT(lines, Contains(HasSubstr("net/ipv6/conf/lan0/disable_ipv6: from 0 to 1")));
  EXPECT_THAT(lines, Contains(HasSubstr("net/ipv4/conf/all/arp_ignore: from 0 to 1")));
}

TEST_F(FieldD1, AddressesAndRoutesMoveAndComeBack) {
  const std::string before = OnLan();
  Take();
  auto host = HostInterface::Create(options_);
  ASSERT_TRUE(host.ok()) << host.status();
  EXPECT_THAT(Addresses("lan0"), IsEmpty());
  EXPECT_THAT(Addresses("qure0"), UnorderedElementsAre("198.51.100.11/24", "2001:db8:2::11/64"));
  EXPECT_THAT(Routes("-4", "main"), UnorderedElementsAre("default via 198.51.100.1 src 198.51.100.11 dev qure0",
                                                         "203.0.113.0/24 via 198.51.100.9 dev qure0"));
  EXPECT_THAT(Routes("-6", "main"), ElementsAre("default via 2001:db8:2::1 dev qure0"));
  EXPECT_THAT(Output("ip route show dev lan0"), Not(HasSubstr("via")));
  host->reset();
  journal_.reset();
  EXPECT_EQ(OnLan(), before);
}

// After a kill the host port is gone.
TEST_F(FieldD1, TheyComeBackAfterAKill) {
  const std::string before = OnLan();
  Take();
  auto host = HostInterface::Create(options_);
  ASSERT_TRUE(host.ok()) << host.status();
  host->release();     // NOLINT: killed
  journal_.release();  // NOLINT
  Run("ip link del qure0");
  KernelJournal::Open(data_.path())->Undo();
  EXPECT_EQ(OnLan(), before);
}

}  // namespace
}  // namespace qure
