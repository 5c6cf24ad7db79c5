// Several cores on one LAN want the same address: one gets it. The LAN stands in for wire and workers: frames arrive
// after a while, probes for a served address are answered, the rest becomes events.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <ostream>
#include <random>

#include "absl/strings/str_cat.h"
#include "tests/unit/core/support.h"

namespace qure::test {
namespace {

struct Case {
  std::string name;
  std::string prefix;
  size_t nodes = 2;
  ServiceMac service_mac = ServiceMac::kDerived;
};

std::ostream& operator<<(std::ostream& out, const Case& test_case) {
  return out << test_case.name;
}

class ToyLan {
 public:
  ToyLan(const Case& test_case, uint64_t seed) : random_(seed) {
    config_ = MakeConfig({{test_case.prefix}});
    config_.service_mac = test_case.service_mac;
    ip_ = ToString(config_.addresses[0].candidates[0].address);
    for (size_t i = 0; i < test_case.nodes; ++i) {
      const auto number = static_cast<uint8_t>(i + 1);
      nodes_.push_back(
          std::make_unique<Node>(seed * 10 + i, NodeId{number}, MacAddress{{0, 0, 0x5e, 0, 0x53, number}}));
      starts_.emplace(kStart + Microseconds(static_cast<int64_t>(random_() % 700'000)), i);
    }
  }

  void RunUntil(MonoTime end) {
    for (MonoTime next = NextTime(); next <= end; next = NextTime()) Step(next);
  }
  // From now on `index` neither hears nor speaks.
  void Kill(size_t index) { nodes_[index].reset(); }

  std::vector<size_t> Holders() const {
    std::vector<size_t> holders;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i] && nodes_[i]->gate_open() && nodes_[i]->Serves(ip_)) holders.push_back(i);
    }
    return holders;
  }

 private:
  struct InFlight {
    size_t from;
    DecodedFrame frame;
  };

  MonoTime NextTime() const {
    MonoTime next = in_flight_.empty() ? kNever : in_flight_.begin()->first;
    if (!starts_.empty()) next = std::min(next, starts_.begin()->first);
    for (const auto& node : nodes_) {
      if (node) next = std::min(next, node->deadline());
    }
    return next;
  }

  void Step(MonoTime now) {
    if (!starts_.empty() && starts_.begin()->first == now) {
      const size_t index = starts_.extract(starts_.begin()).mapped();
      nodes_[index]->RunUntil(now);
      nodes_[index]->Configure(config_);
    } else if (!in_flight_.empty() && in_flight_.begin()->first == now) {
      const InFlight packet = in_flight_.extract(in_flight_.begin()).mapped();
      for (size_t i = 0; i < nodes_.size(); ++i) {
        if (i != packet.from && nodes_[i]) Deliver(now, packet, i);
      }
    } else {
      for (const auto& node : nodes_) {
        if (node && node->deadline() == now) node->TickAt(now);
      }
    }
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i]) Transmit(now, i);
    }
    EXPECT_LE(Holders().size(), 1) << "two hold the address";
  }

  void Transmit(MonoTime now, size_t from) {
    for (const qure::test::Step& step : nodes_[from]->steps()) {
      const auto* send = std::get_if<SendFrame>(&step.action);
      if (send != nullptr) in_flight_.emplace(now + Delay(), InFlight{from, Decode(*send)});
    }
    nodes_[from]->Forget();
  }

  // What the worker of `to` makes of a frame.
  void Deliver(MonoTime now, const InFlight& packet, size_t to) {
    Node& node = *nodes_[to];
    if (node.deadline() == kNever) return;  // not started
    node.RunUntil(now);
    const DecodedFrame& frame = packet.frame;
    const bool probe = frame.arp ? frame.arp->is_probe() : frame.ip_source.is_zero();
    const bool for_us =
        ToString(frame.arp ? IpAddress(frame.arp->target_ip) : IpAddress(frame.neighbor->target)) == ip_;
    if (probe && for_us && node.Serves(ip_)) {
      Answer(now, to);
    } else if (probe && for_us) {
      node.HearProbed(ip_, frame.source);
    } else if (for_us) {
      node.HearUsed(ip_, frame.arp ? frame.arp->sender_mac : frame.link_layer.value());
    }
  }

  // The answer of the fast path to a probe.
  void Answer(MonoTime now, size_t from) {
    DecodedFrame reply;
    reply.source = nodes_[from]->claim().mac;
    ArpPacket arp{};
    arp.operation = Be16(kArpReply);
    arp.sender_mac = reply.source;
    const IpAddress ip = Ip(ip_);
    if (ip.is_v4()) {
      arp.sender_ip = arp.target_ip = ip.v4();
      reply.arp = arp;
    } else {
      reply.ip_source = ip.v6();
      reply.neighbor =
          NeighborMessage{.type = kNeighborAdvertisement, .code = 0, .checksum = {}, .flags = {}, .target = ip.v6()};
      reply.link_layer = reply.source;
    }
    in_flight_.emplace(now + Delay(), InFlight{from, reply});
  }

  Duration Delay() { return Microseconds(static_cast<int64_t>(50 + random_() % 2000)); }

  std::mt19937_64 random_;
  ClusterConfig config_;
  std::string ip_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::multimap<MonoTime, size_t> starts_;
  std::multimap<MonoTime, InFlight> in_flight_;
};

class ContentionTest : public ::testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(Lans, ContentionTest,
                         ::testing::Values(Case{"two_v4", "198.51.100.50/24"}, Case{"two_v6", "2001:db8:2::50/64"},
                                           Case{"three_v4", "198.51.100.50/24", 3},
                                           Case{"two_v4_interface", "198.51.100.50/24", 2, ServiceMac::kInterface},
                                           Case{"two_v6_interface", "2001:db8:2::50/64", 2, ServiceMac::kInterface}),
                         [](const auto& test) { return test.param.name; });

TEST_P(ContentionTest, ExactlyOneHoldsAndAnotherFollowsWhenItDies) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    ToyLan lan(GetParam(), seed);
    lan.RunUntil(kStart + Seconds(150));
    ASSERT_EQ(lan.Holders().size(), 1);
    const size_t first = lan.Holders()[0];
    lan.RunUntil(kStart + Seconds(200));
    ASSERT_EQ(lan.Holders(), std::vector<size_t>{first}) << "the incumbent stays";

    lan.Kill(first);
    lan.RunUntil(kStart + Seconds(350));
    ASSERT_EQ(lan.Holders().size(), 1);
  }
}

}  // namespace
}  // namespace qure::test
