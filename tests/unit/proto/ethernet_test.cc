#include "proto/net/ethernet.h"

#include <gtest/gtest.h>

#include "tests/unit/proto/wire.h"

namespace qure {
namespace {

const Bytes kUntagged = Hex("020000000002 020000000001 0806 aabb");
const Bytes kTagged = Hex("020000000002 020000000001 8100 e064 86dd aabb");

TEST(Ethernet, Untagged) {
  EthernetView view;
  ASSERT_EQ(ParseEthernet(kUntagged, &view), kSound);
  EXPECT_EQ(view.header->destination, Mac("02:00:00:00:00:02"));
  EXPECT_EQ(view.header->source, Mac("02:00:00:00:00:01"));
  EXPECT_EQ(view.ether_type, kEtherTypeArp);
  EXPECT_FALSE(view.tagged);
  EXPECT_EQ(view.vlan, 0);
  EXPECT_EQ(view.length, 14);
}

TEST(Ethernet, TaggedWithPriority) {
  EthernetView view;
  ASSERT_EQ(ParseEthernet(kTagged, &view), kSound);
  EXPECT_EQ(view.ether_type, kEtherTypeIpv6);
  EXPECT_TRUE(view.tagged);
  EXPECT_EQ(view.vlan, 100);
  EXPECT_EQ(view.length, 18);
}

TEST(Ethernet, PriorityTagHasNoVlan) {
  EthernetView view;
  ASSERT_EQ(ParseEthernet(Hex("020000000002 020000000001 8100 e000 0800"), &view), kSound);
  EXPECT_TRUE(view.tagged);
  EXPECT_EQ(view.vlan, 0);
}

TEST(Ethernet, SecondTagIsPayload) {
  EthernetView view;
  ASSERT_EQ(ParseEthernet(Hex("020000000002 020000000001 8100 0064 8100 0065 0800"), &view), kSound);
  EXPECT_EQ(view.vlan, 100);
  EXPECT_EQ(view.ether_type, kEtherTypeVlan);
  EXPECT_EQ(view.length, 18);
}

TEST(Ethernet, TruncatedAtEveryByte) {
  EthernetView view;
  for (size_t length = 0; length < 14; ++length) {
    EXPECT_EQ(ParseEthernet(Prefix(kUntagged, length), &view), Reason::ethernet_truncated) << length;
  }
  for (size_t length = 0; length < 18; ++length) {
    EXPECT_EQ(ParseEthernet(Prefix(kTagged, length), &view), Reason::ethernet_truncated) << length;
  }
  EXPECT_EQ(ParseEthernet(Prefix(kUntagged, 14), &view), kSound);
  EXPECT_EQ(ParseEthernet(Prefix(kTagged, 18), &view), kSound);
}

TEST(Ethernet, SourceIsNobody) {
  EthernetView view;
  EXPECT_EQ(ParseEthernet(Hex("020000000002 030000000001 0806"), &view), Reason::ethernet_source);
  EXPECT_EQ(ParseEthernet(Hex("020000000002 ffffffffffff 0806"), &view), Reason::ethernet_source);
  EXPECT_EQ(ParseEthernet(Hex("020000000002 000000000000 0806"), &view), Reason::ethernet_source);
}

}  // namespace
}  // namespace qure
