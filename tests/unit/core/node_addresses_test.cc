// The node's own addresses after a start in dedicated mode.
#include "control/core/address/node_addresses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "control/core/timers.h"
#include "tests/unit/core/support.h"

namespace qure::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kOwn = "198.51.100.11";
const std::string kProbe = "ARP node>broadcast: request sender=node/0.0.0.0 target=zero/198.51.100.11";
const std::string kAnnouncement = "ARP node>broadcast: request sender=node/198.51.100.11 target=zero/198.51.100.11";

class FieldA9 : public ::testing::Test {
 protected:
  void Start(LanMode mode, const std::vector<IpPrefix>& addresses) {
    addresses_.Configure(now_, {.node_id = kNodeId, .lan_mac = LanMac(), .lan_mode = mode, .addresses = addresses},
                         ClusterConfig{});
  }
  void Used(const MacAddress& mac, std::string_view who = "") {
    addresses_.OnUsed(now_, {.kind = EventKind::kNodeAddressUsed, .mac = mac, .ip = Ip(kOwn)}, who, &out_);
  }
  // What is sent and logged until nothing is due for a minute.
  std::vector<std::string> Run() {
    const MonoTime end = now_ + Seconds(60);
    while (addresses_.deadline() <= end) {
      now_ = std::max(now_, addresses_.deadline());
      times_.push_back(now_);
      addresses_.Tick(now_, &out_);
    }
    return Done();
  }
  std::vector<std::string> Done() {
    std::vector<std::string> done;
    for (const Action& action : std::exchange(out_, {})) done.push_back(Describe(action));
    return done;
  }

  std::mt19937_64 random_{1};
  MonoTime now_ = kStart;
  NodeAddresses addresses_{random_};
  std::vector<MonoTime> times_;
  Actions out_;
};

// Peers kept the MAC that the machine had before for half a minute.
TEST_F(FieldA9, AreProbedForThenAnnouncedTwice) {
  Start(LanMode::kDedicated, {Prefix("198.51.100.11/24")});
  EXPECT_THAT(Run(), ElementsAre(kProbe, kProbe, kProbe, kAnnouncement, kAnnouncement));
  EXPECT_LE(times_[3] - kStart, Milliseconds(50 + 3 * 150));
  EXPECT_EQ(times_[4] - times_[3], Seconds(2));
  EXPECT_EQ(addresses_.deadline(), kNever);
}

TEST_F(FieldA9, OfIPv6AreAnnouncedOnly) {
  Start(LanMode::kDedicated, {Prefix("2001:db8:2::11/64")});
  const auto announcement = AllOf(HasSubstr("ND node>33:33:00:00:00:01"), HasSubstr("override link=node"));
  EXPECT_THAT(Run(), ElementsAre(announcement, announcement));
}

TEST_F(FieldA9, InSharedModeTheyAreTheKernels) {
  Start(LanMode::kShared, {Prefix("198.51.100.11/24")});
  EXPECT_THAT(Run(), IsEmpty());
}

TEST_F(FieldA9, AnotherConfigurationDoesNotStartThemAnew) {
  Start(LanMode::kDedicated, {Prefix("198.51.100.11/24")});
  Run();
  Start(LanMode::kDedicated, {Prefix("198.51.100.11/24")});
  EXPECT_THAT(Run(), IsEmpty());
}

TEST_F(FieldA9, OneThatAnotherHostUsesIsSaidAndNotAnnounced) {
  Start(LanMode::kDedicated, {Prefix("198.51.100.11/24")});
  now_ = addresses_.deadline();
  addresses_.Tick(now_, &out_);
  Done();
  Used(Stranger(), " (node 77)");
  EXPECT_THAT(Done(), ElementsAre(AllOf(HasSubstr("00:00:5e:00:53:aa"), HasSubstr("(node 77)"))));
  EXPECT_EQ(addresses_.conflicts().size(), 1);
  Used(Stranger());
  EXPECT_THAT(Done(), IsEmpty()) << "said once";
  EXPECT_GE(addresses_.deadline() - now_, kRetryTaken);
  EXPECT_THAT(Run(), ElementsAre(kProbe, kProbe, kProbe, HasSubstr("any more"), kAnnouncement, kAnnouncement));
  EXPECT_THAT(addresses_.conflicts(), IsEmpty());
}

}  // namespace
}  // namespace qure::test
