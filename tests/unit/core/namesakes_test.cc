// Two of one kind: machines with one identity, nodes with one name or address.
#include "control/core/cluster/namesakes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/core/cluster/clone_watch.h"
#include "control/core/cluster/identity.h"
#include "tests/unit/core/support.h"

namespace qure::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr NodeId kOther{7};

std::vector<std::string> TextsOf(const Actions& actions) {
  std::vector<std::string> texts;
  for (const Action& action : actions) texts.push_back(Describe(action));
  return texts;
}

Member Other(std::string_view name, std::string_view address) {
  Member member{.node = kOther};
  member.hello.set_name(std::string(name));
  member.at.address = Ip(address).v4();
  return member;
}

const NodeFacts kSelf{.node_id = kNodeId, .name = "n1", .address = Ip("198.51.100.11").v4()};

TEST(FieldA10, ANodeWithOurNameIsSaidWithBothIds) {
  Namesakes namesakes;
  Actions out;
  namesakes.OnHello(kSelf, Other("n1", "198.51.100.12"), &out);
  EXPECT_THAT(TextsOf(out),
              ::testing::ElementsAre(AllOf(HasSubstr("\"n1\""), HasSubstr(ToHex(kNodeId)), HasSubstr(ToHex(kOther)))));
  namesakes.OnHello(kSelf, Other("n1", "198.51.100.12"), &out);
  EXPECT_EQ(out.size(), 1) << "said once";
}

TEST(FieldA10, ANodeWithOurAddressIsSaidWithBothIds) {
  Namesakes namesakes;
  Actions out;
  namesakes.OnHello(kSelf, Other("n2", "198.51.100.11"), &out);
  EXPECT_THAT(TextsOf(out), ::testing::ElementsAre(AllOf(HasSubstr("198.51.100.11"), HasSubstr(ToHex(kNodeId)),
                                                         HasSubstr(ToHex(kOther)))));
}

TEST(FieldA10, OthersAreNone) {
  Namesakes namesakes;
  Actions out;
  namesakes.OnHello(kSelf, Other("n2", "198.51.100.12"), &out);
  NodeFacts without_address = kSelf;
  without_address.address = {};
  namesakes.OnHello(without_address, Other("n2", "0.0.0.0"), &out);
  EXPECT_TRUE(out.empty());
}

TEST(FieldA10, OneThatHasBeenGivenAnotherNameIsNewsAgainLater) {
  Namesakes namesakes;
  Actions out;
  namesakes.OnHello(kSelf, Other("n1", "198.51.100.12"), &out);
  namesakes.OnHello(kSelf, Other("n2", "198.51.100.12"), &out);
  namesakes.OnHello(kSelf, Other("n1", "198.51.100.12"), &out);
  EXPECT_EQ(out.size(), 2);
}

// Each side decides by what the other says: exactly one of the two is the later boot.
TEST(FieldA10, OfTwoBootsExactlyOneIsTheLater) {
  for (const int64_t apart : {0, 1, 20, 49, 80, 5'000, 86'400'000}) {
    for (const bool greater : {false, true}) {
      const BootAge a{.uptime = Seconds(100) + Milliseconds(apart), .boot = {greater ? uint8_t{9} : uint8_t{1}}};
      const BootAge b{.uptime = Seconds(100), .boot = {5}};
      EXPECT_NE(BootedLater(a, b), BootedLater(b, a));
      if (apart > 50) {
        EXPECT_TRUE(BootedLater(b, a));
      }
    }
  }
}

TEST(FieldA10, TheLaterBootTakesANewIdentityUnlessTheOtherDoes) {
  CloneWatch later;
  EXPECT_TRUE(later.OnHeard(kStart, true));
  EXPECT_FALSE(later.MustLeave(kStart)) << "the other may know that it is the copy";
  EXPECT_FALSE(later.OnHeard(kStart + kCloneGrace, true));
  EXPECT_TRUE(later.MustLeave(kStart + kCloneGrace));
  EXPECT_FALSE(later.MustLeave(kStart + kCloneGrace)) << "once";

  CloneWatch earlier;
  earlier.OnHeard(kStart, false);
  EXPECT_FALSE(earlier.MustLeave(kStart + Seconds(3600)));
  EXPECT_TRUE(earlier.heard());

  CloneWatch alone_again;
  alone_again.OnHeard(kStart, true);
  alone_again.Tick(kStart + kCloneMemory);
  EXPECT_FALSE(alone_again.heard());
}

}  // namespace
}  // namespace qure::test
