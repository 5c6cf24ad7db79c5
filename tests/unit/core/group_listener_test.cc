#include "control/core/address/group_listener.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "control/core/timers.h"
#include "proto/net/ethernet.h"
#include "proto/net/igmp.h"
#include "proto/net/ip.h"
#include "proto/net/mld.h"
#include "tests/unit/core/support.h"

namespace qure::test {
namespace {

constexpr MacAddress kMac{{0x02, 0x11, 0x11, 0x11, 0x11, 0x10}};
constexpr Ipv4Address kAddress{{192, 0, 2, 10}};
const IpAddress kGroup = Ip("239.192.1.2");
const IpAddress kSolicited = Ip("ff02::1:ff00:50");
const IpAddress kSolicited2 = Ip("ff02::1:ff00:51");

// A report as text: "3>224.0.0.22 joined 239.192.1.2". Frames of IGMPv3 and MLDv2 are known by their records.
std::string Describe(const SendFrame& frame) {
  EXPECT_FALSE(frame.answer);
  EthernetView ethernet;
  EXPECT_FALSE(ParseEthernet(frame.bytes, &ethernet));
  EXPECT_EQ(ethernet.header->source, kMac);
  const ConstBytes packet = ConstBytes(frame.bytes).subspan(ethernet.length);
  const bool v4 = ethernet.ether_type == kEtherTypeIpv4;
  IpView ip;
  EXPECT_FALSE(v4 ? ParseIpv4(packet, false, &ip) : ParseIpv6(packet, &ip));
  const IpAddress to = v4 ? IpAddress(HeaderAt<Ipv4Header>(packet, 0)->destination)
                          : IpAddress(HeaderAt<Ipv6Header>(packet, 0)->destination);
  EXPECT_EQ(ethernet.header->destination, v4 ? MulticastMac(to.v4()) : MulticastMac(to.v6()));
  EXPECT_TRUE(v4 || HeaderAt<Ipv6Header>(packet, 0)->source == LinkLocalFromMac(kMac));

  const ConstBytes message = packet.first(ip.end).subspan(ip.transport);
  const auto address = [&](size_t offset) {
    return v4 ? IpAddress(*HeaderAt<Ipv4Address>(message, offset)) : IpAddress(*HeaderAt<Ipv6Address>(message, offset));
  };
  std::string text = absl::StrCat(int{message[0]}, ">", ToString(to));
  if (message[0] == 0x16 || message[0] == 0x17) return absl::StrCat(text, " ", ToString(address(4)));
  if (message[0] == 131 || message[0] == 132) return absl::StrCat(text, " ", ToString(address(8)));
  const size_t size = v4 ? 8 : 20;
  for (size_t offset = 8; offset < message.size(); offset += size) {
    const char* const words[] = {"?", "?", "listening", "left", "joined"};
    absl::StrAppend(&text, " ", words[message[offset] % 5], " ", ToString(address(offset + 4)));
  }
  return text;
}

struct Listener {
  std::mt19937_64 random{1};
  GroupListener listener{random};
  MonoTime now = kStart;

  std::vector<std::string> Take(Actions* out) {
    std::vector<std::string> said;
    for (const Action& action : *out) said.push_back(Describe(std::get<SendFrame>(action)));
    return said;
  }
  std::vector<std::string> Set(std::vector<IpAddress> groups) {
    Actions out;
    listener.SetGroups(now, kMac, kAddress, std::move(groups), &out);
    return Take(&out);
  }
  void Ask(const IpAddress& group, uint8_t version, Duration within = Seconds(10)) {
    listener.OnEvent(now, {.kind = EventKind::kGroupQuery, .version = version, .ip = group, .span = within});
  }
  // What is reported at the next deadline, which lies within `span`.
  std::vector<std::string> Next(Duration span) {
    const MonoTime before = now;
    EXPECT_GE(listener.deadline(), now);
    EXPECT_LE(listener.deadline() - now, span);
    now = listener.deadline();
    Actions out;
    if (now > before) listener.Tick(now - Duration{1}, &out);
    EXPECT_TRUE(out.empty());
    listener.Tick(now, &out);
    return Take(&out);
  }
  void Settle() {
    while (listener.deadline() != kNever) Next(kReportInterval);
  }
};

using Said = std::vector<std::string>;

TEST(GroupListener, SaysNothingOfNothing) {
  Listener l;
  EXPECT_EQ(l.Set({}), Said{});
  EXPECT_EQ(l.listener.deadline(), kNever);
  l.Ask(Ipv4Address{}, 3);
  EXPECT_EQ(l.listener.deadline(), kNever);
}

TEST(GroupListener, JoinsAtOnceAndAgain) {
  Listener l;
  const Said joined = {"34>224.0.0.22 joined 239.192.1.2",
                       "143>ff02::16 joined ff02::1:ff00:50 joined ff02::1:ff00:51"};
  EXPECT_EQ(l.Set({kGroup, kSolicited, kSolicited2}), joined);
  int again = 0;
  while (l.listener.deadline() != kNever) again += static_cast<int>(l.Next(kReportInterval).size());
  EXPECT_EQ(again, 3);                                          // each at its own time
  EXPECT_EQ(l.Set({kGroup, kSolicited2, kSolicited}), Said{});  // nothing new
}

TEST(GroupListener, WhatIsForAllIsNotReported) {
  Listener l;
  EXPECT_EQ(l.Set({Ip("224.0.0.1"), Ip("ff02::1")}), Said{});
}

TEST(GroupListener, LeavesAtOnceAndAgain) {
  Listener l;
  l.Set({kGroup, kSolicited});
  l.Settle();
  EXPECT_EQ(l.Set({kGroup}), Said{"143>ff02::16 left ff02::1:ff00:50"});
  l.Ask(kSolicited, 2);  // it listens no more
  EXPECT_EQ(l.Next(kReportInterval), Said{"143>ff02::16 left ff02::1:ff00:50"});
  EXPECT_EQ(l.listener.deadline(), kNever);
}

TEST(GroupListener, ComesBackBeforeAllIsSaid) {
  Listener l;
  l.Set({kGroup});
  l.Settle();
  l.Set({});
  EXPECT_EQ(l.Set({kGroup}), Said{"34>224.0.0.22 joined 239.192.1.2"});
  EXPECT_EQ(l.Next(kReportInterval), Said{"34>224.0.0.22 joined 239.192.1.2"});
  EXPECT_EQ(l.listener.deadline(), kNever);
}

TEST(GroupListener, AnswersAGeneralQueryInOneReport) {
  Listener l;
  l.Set({kGroup, kSolicited, kSolicited2});
  l.Settle();
  l.Ask(Ipv6Address{}, 2);
  EXPECT_EQ(l.Next(Seconds(10)), Said{"143>ff02::16 listening ff02::1:ff00:50 listening ff02::1:ff00:51"});
  EXPECT_EQ(l.listener.deadline(), kNever);
  l.Ask(Ipv4Address{}, 3);
  EXPECT_EQ(l.Next(Seconds(10)), Said{"34>224.0.0.22 listening 239.192.1.2"});
  EXPECT_EQ(l.listener.deadline(), kNever);
}

TEST(GroupListener, AnswersAQueryForItsGroupOnly) {
  Listener l;
  l.Set({kGroup, kSolicited, kSolicited2});
  l.Settle();
  l.Ask(Ip("239.0.0.1"), 3);
  l.Ask(Ip("ff02::1:ff00:52"), 2);
  EXPECT_EQ(l.listener.deadline(), kNever);
  l.Ask(kSolicited2, 2, Seconds(1));
  EXPECT_EQ(l.Next(Seconds(1)), Said{"143>ff02::16 listening ff02::1:ff00:51"});
}

TEST(GroupListener, TheEarlierAnswerStands) {
  Listener l;
  l.Set({kGroup});
  l.Settle();
  l.Ask(Ipv4Address{}, 3, Milliseconds(100));
  const MonoTime first = l.listener.deadline();
  for (int i = 0; i < 20; ++i) l.Ask(Ipv4Address{}, 3, Seconds(10));
  EXPECT_LE(l.listener.deadline(), first);
  EXPECT_EQ(l.Next(Milliseconds(100)).size(), 1u);
  EXPECT_EQ(l.listener.deadline(), kNever);
}

TEST(GroupListener, SpreadsItsAnswers) {
  Listener l;
  l.Set({kGroup});
  l.Settle();
  Duration least = Seconds(100), most;
  for (int i = 0; i < 100; ++i) {
    l.Ask(Ipv4Address{}, 3, Seconds(10));
    least = std::min(least, l.listener.deadline() - l.now);
    most = std::max(most, l.listener.deadline() - l.now);
    l.Next(Seconds(10));
  }
  EXPECT_LT(least, Seconds(2));
  EXPECT_GT(most, Seconds(8));
}

// RFC 3376 §7.2.1
TEST(GroupListener, SpeaksVersion2WhileSuchAQuerierIsAbout) {
  Listener l;
  l.Set({kGroup, kSolicited});
  l.Settle();
  l.Ask(Ipv4Address{}, 2);
  EXPECT_EQ(l.Next(Seconds(10)), Said{"22>239.192.1.2 239.192.1.2"});
  EXPECT_EQ(l.Set({kSolicited}), Said{"23>224.0.0.2 239.192.1.2"});
  l.Settle();
  EXPECT_EQ(l.Set({kGroup}).at(0), "22>239.192.1.2 239.192.1.2");
  l.Settle();
  l.now = l.now + kOlderQuerier;
  l.Ask(Ipv4Address{}, 3);
  EXPECT_EQ(l.Next(Seconds(10)), Said{"34>224.0.0.22 listening 239.192.1.2"});
}

// RFC 3810 §8.2.1: a snooping switch that knows MLDv1 only takes nothing else for a listener.
TEST(FieldA7, SpeaksMldV1WhileSuchAQuerierIsAbout) {
  Listener l;
  l.Set({kGroup, kSolicited, kSolicited2});
  l.Settle();
  l.Ask(Ipv6Address{}, 1);
  const Said reports = {"131>ff02::1:ff00:50 ff02::1:ff00:50", "131>ff02::1:ff00:51 ff02::1:ff00:51"};
  EXPECT_EQ(l.Next(Seconds(10)), reports);
  EXPECT_EQ(l.Set({kGroup, kSolicited}), Said{"132>ff02::2 ff02::1:ff00:51"});
  l.Settle();
  EXPECT_EQ(l.Set({kGroup, kSolicited, kSolicited2}), Said{"131>ff02::1:ff00:51 ff02::1:ff00:51"});
  l.Settle();
  l.Ask(kSolicited, 2);  // another querier beside it: the older one is still about
  EXPECT_EQ(l.Next(Seconds(10)), Said{"131>ff02::1:ff00:50 ff02::1:ff00:50"});
  l.now = l.now + kOlderQuerier;
  l.Ask(Ipv6Address{}, 2);
  EXPECT_EQ(l.Next(Seconds(10)), Said{"143>ff02::16 listening ff02::1:ff00:50 listening ff02::1:ff00:51"});
}

TEST(FieldA7, TheFamiliesHaveQueriersOfTheirOwn) {
  Listener l;
  l.Set({kGroup, kSolicited});
  l.Settle();
  l.Ask(Ipv6Address{}, 1);
  l.Next(Seconds(10));
  l.Ask(Ipv4Address{}, 3);
  EXPECT_EQ(l.Next(Seconds(10)), Said{"34>224.0.0.22 listening 239.192.1.2"});
  l.now = l.now + kOlderQuerier;
  l.Ask(Ipv4Address{}, 2);
  l.Next(Seconds(10));
  l.Ask(Ipv6Address{}, 2);
  EXPECT_EQ(l.Next(Seconds(10)), Said{"143>ff02::16 listening ff02::1:ff00:50"});
}

// A node without a cluster: the query goes the whole way through its control core.
TEST(FieldA7, ANodeAloneAnswersForItsAddresses) {
  Node node;
  node.Configure(MakeConfig({{"2001:db8:2::50/64"}}));
  node.RunFor(Seconds(30));
  node.Forget();
  node.Hear({.kind = EventKind::kGroupQuery, .version = 1, .ip = Ipv6Address{}, .span = Seconds(1)});
  node.RunFor(Seconds(1));
  const auto reports = std::ranges::count_if(node.reports(), [](const Step& step) {
    const auto* frame = std::get_if<SendFrame>(&step.action);
    if (frame == nullptr) return false;
    const MacAddress to = HeaderAt<EthernetHeader>(ConstBytes(frame->bytes), 0)->destination;
    return to == MulticastMac(SolicitedNode(Ip("2001:db8:2::50").v6())) && frame->bytes[14 + 40 + 8] == 131;
  });
  EXPECT_EQ(reports, 1);
}

TEST(GroupListener, ManyGroupsTakeSeveralReports) {
  Listener l;
  std::vector<IpAddress> groups;
  for (uint8_t i = 1; i <= kMaxGroupRecords + 1; ++i) groups.push_back(Ipv4Address{{239, 0, 0, i}});
  EXPECT_EQ(l.Set(groups).size(), 2u);
}

TEST(GroupListener, OtherEventsMeanNothing) {
  Listener l;
  l.Set({kGroup});
  l.Settle();
  l.listener.OnEvent(l.now, {.kind = EventKind::kNeighbor, .ip = Ipv4Address{}, .span = Seconds(1)});
  EXPECT_EQ(l.listener.deadline(), kNever);
}

}  // namespace
}  // namespace qure::test
