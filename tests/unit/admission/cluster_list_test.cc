#include "control/core/admission/cluster_list.h"

#include <gtest/gtest.h>

#include <string>

#include "control/core/admission/handshake.h"
#include "tests/unit/admission/support.h"

namespace qure::admission::test {
namespace {

constexpr MonoTime kStart = MonoTime{} + Seconds(100);
constexpr MacAddress kMac = {{2, 0, 0, 0, 0, 7}};

ClusterMessage Announced(uint8_t number, std::string name = "home") {
  ClusterMessage message{.cluster = {number},
                         .identity = Identity(number),
                         .port = 7873,
                         .group = {{239, 192, 0, 1}},
                         .nodes = number,
                         .name = std::move(name)};
  SignMessage(KeyOf(number), &message);
  return message;
}

TEST(ClusterList, TwoOfOneNameAreTwo) {
  ClusterList list;
  list.OnDatagram(kStart, kMac, WriteMessage(Announced(1)));
  list.OnDatagram(kStart, kMac, WriteMessage(Announced(2)));
  ASSERT_EQ(list.all().size(), 2u);
  EXPECT_EQ(list.all().at({1}).name, "home");
  EXPECT_EQ(list.all().at({2}).nodes, 2u);
  EXPECT_EQ(list.all().at({2}).mac, kMac);
}

TEST(ClusterList, OneThatIsSilentIsDropped) {
  ClusterList list;
  list.OnDatagram(kStart, kMac, WriteMessage(Announced(1)));
  list.Tick(kStart + kClusterHeardLife - Milliseconds(1));
  EXPECT_EQ(list.all().size(), 1u);
  list.Tick(kStart + kClusterHeardLife);
  EXPECT_TRUE(list.all().empty());
}

TEST(ClusterList, WhatIsNotSignedIsLeftOut) {
  ClusterList list;
  ClusterMessage message = Announced(1);
  message.name = "other";
  list.OnDatagram(kStart, kMac, WriteMessage(message));
  EXPECT_TRUE(list.all().empty());
}

TEST(ClusterList, ItIsBoundedAndTheOldestGoes) {
  ClusterList list;
  MonoTime now = kStart;
  for (uint8_t number = 1; number <= kMaxClustersHeard + 1; ++number) {
    list.OnDatagram(now, kMac, WriteMessage(Announced(number)));
    now = now + Seconds(1);
  }
  EXPECT_EQ(list.all().size(), kMaxClustersHeard);
  EXPECT_FALSE(list.all().contains({1}));
}

TEST(ClusterList, ItChecksSoManySignaturesASecond) {
  ClusterList list;
  for (uint8_t number = 1; number <= kMaxClustersHeard; ++number)
    list.OnDatagram(kStart, kMac, WriteMessage(Announced(number)));
  EXPECT_EQ(list.all().size(), static_cast<size_t>(kClusterChecksPerSecond));
}

}  // namespace
}  // namespace qure::admission::test
