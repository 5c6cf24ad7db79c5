// What a node says of its own addresses, and what others believe.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "control/core/controller_status.h"
#include "tests/unit/core/pair.h"

namespace qure::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The addresses of `node` as `side` shows them; nothing if it does not know it.
std::optional<std::vector<IpAddress>> AddressesOf(const Side& side, const NodeId& node, MonoTime now) {
  const ControllerStatus status = side.controller.status(now);
  const auto row = std::ranges::find(status.nodes, node, &NodeRow::node);
  return row == status.nodes.end() ? std::nullopt : std::optional(row->addresses);
}

// A node in an IPv6-only LAN, beside one that has both families.
class FieldA5 : public ::testing::Test {
 protected:
  static NodeFacts Facts(uint8_t number, const Ipv4Address& address, std::string_view address6) {
    NodeFacts facts = Side::FactsOfNode(number);
    facts.address = address;
    facts.address6 = Ip(address6).v6();
    return facts;
  }
  void RunUntilTheyKnow() {
    const auto known = [&](const Side& one, const Side& other) { return AddressesOf(one, other.id, now_).has_value(); };
    for (const MonoTime end = now_ + Seconds(20); now_ < end && !(known(one_, other_) && known(other_, one_));) {
      now_ = now_ + Milliseconds(1);
      Pump(now_, &one_, &other_);
    }
    ASSERT_TRUE(known(one_, other_) && known(other_, one_));
  }

  MonoTime now_ = kStart;
  Side one_{Facts(1, {}, "2001:db8:2::11"), MakeConfig({{"2001:db8:2::50/64"}}), {}};
  Side other_{Facts(2, {{198, 51, 100, 12}}, "2001:db8:2::12"), MakeConfig({{"2001:db8:2::50/64"}}), {}};
};

TEST_F(FieldA5, ANodeHasTheAddressesOfItsInterfaceForItselfAndForOthers) {
  RunUntilTheyKnow();
  for (const Side* side : {&one_, &other_}) {
    EXPECT_THAT(*AddressesOf(*side, one_.id, now_), ElementsAre(Ip("2001:db8:2::11")));
    EXPECT_THAT(*AddressesOf(*side, other_.id, now_), ElementsAre(Ip("198.51.100.12"), Ip("2001:db8:2::12")));
  }
}

TEST_F(FieldA5, TheSourceOfClusterFramesIsNoAddressOfTheNode) {
  EXPECT_THAT(NamedAddresses({7}, LinkLocalFor({7}), {}), IsEmpty());
  const Ipv4Address of_its_own{{169, 254, 1, 1}};  // given by hand, or by RFC 3927
  ASSERT_NE(LinkLocalFor({7}), of_its_own);
  EXPECT_THAT(NamedAddresses({7}, of_its_own, {}), ElementsAre(of_its_own));
}

}  // namespace
}  // namespace qure::test
