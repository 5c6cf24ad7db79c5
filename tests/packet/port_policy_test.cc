// default = "drop": the port decides, whatever form a packet has.
#include <gtest/gtest.h>

#include "tests/support/harness.h"

namespace qure::testing {
namespace {

constexpr uint8_t kSyn = 2;
constexpr uint16_t kOpen = 80;
constexpr uint16_t kClosed = 22;
constexpr uint16_t kMoreFragments = 0x2000;
constexpr uint8_t kFragmentHeader = 44;
constexpr uint8_t kDestinationOptions = 60;

class FieldB5 : public ::testing::Test {
 protected:
  FieldB5() {
    auto services = std::make_shared<ServiceMap>(*snapshot_.services);
    services->drop_others = true;
    snapshot_.services = services;
  }
  Reason FromLan(const Bytes& frame) { return Process(snapshot_, Direction::kFromLan, frame).reason; }

  static Bytes Segment4(uint16_t port) { return Tcp(kClient4, kService4, 40000, port, kSyn, Bytes(24, 'x')); }
  static Bytes Segment6(uint16_t port) { return Tcp(kClient6, kService6, 40000, port, kSyn, Bytes(24, 'x')); }
  static Bytes Head(const Bytes& segment, size_t length) {
    return {segment.begin(), segment.begin() + static_cast<ptrdiff_t>(length)};
  }
  static Bytes Frame4(const Bytes& payload, uint8_t protocol, uint16_t fragment, const MacAddress& to = kServiceMac4) {
    return Build(
        Ether{to, kGatewayMac, 0x0800},
        Build(
            Ip4Header{
                .source = kClient4, .destination = kService4, .protocol = protocol, .id = 7, .fragment = fragment},
            payload));
  }
  // Behind a fragment header: `offset` in units of eight bytes, shifted by three, and the more-fragments bit.
  static Bytes Frame6(const Bytes& payload, uint16_t offset, uint8_t next = 6) {
    Bytes packet;
    packet.reserve(8 + payload.size());
    for (const int byte : {int{next}, 0, offset >> 8, offset & 0xff, 0, 0, 0, 9}) {
      packet.push_back(static_cast<uint8_t>(byte));
    }
    packet.insert(packet.end(), payload.begin(), payload.end());
    return Build(Ether{kServiceMac6, kGatewayMac, 0x86dd},
                 Build(Ip6Header{kClient6, kService6, kFragmentHeader}, packet));
  }

  Snapshot snapshot_ = SiteSnapshot();
};

}  // namespace

TEST_F(FieldB5, AnAtomicFragmentIsAWholePacket) {
  EXPECT_EQ(NameOf(FromLan(Frame6(Segment6(kClosed), 0))), NameOf(Reason::service_port_closed));
  EXPECT_EQ(NameOf(FromLan(Frame6(Segment6(kOpen), 0))), NameOf(Reason::host_service));
  const Bytes udp = Udp(kClient6, kService6, 40000, 9999, {1});
  EXPECT_EQ(NameOf(FromLan(Frame6(udp, 0, kProtocolUdp))), NameOf(Reason::service_port_closed));
  EXPECT_EQ(NameOf(FromLan(Frame6(Head(Segment6(kOpen), 12), 0))), NameOf(Reason::tcp_truncated));
}

TEST_F(FieldB5, TheFirstFragmentDecides) {
  EXPECT_EQ(NameOf(FromLan(Frame4(Head(Segment4(kClosed), 24), 6, kMoreFragments))),
            NameOf(Reason::service_port_closed));
  EXPECT_EQ(NameOf(FromLan(Frame4(Head(Segment4(kOpen), 24), 6, kMoreFragments))), NameOf(Reason::host_service));
  EXPECT_EQ(NameOf(FromLan(Frame4(Bytes(24, 'x'), 6, 3))), NameOf(Reason::host_service)) << "a later one";
  EXPECT_EQ(NameOf(FromLan(Frame6(Head(Segment6(kClosed), 24), 1))), NameOf(Reason::service_port_closed));
  EXPECT_EQ(NameOf(FromLan(Frame6(Head(Segment6(kOpen), 24), 1))), NameOf(Reason::host_service));
}

// The port would come in the second one (RFC 7112 §5, RFC 1858 §3).
TEST_F(FieldB5, AFirstFragmentWithoutThePortIsDropped) {
  EXPECT_EQ(NameOf(FromLan(Frame6({6, 0, 1, 4, 0, 0, 0, 0}, 1, kDestinationOptions))), NameOf(Reason::tcp_truncated));
  EXPECT_EQ(NameOf(FromLan(Frame6({17, 0, 1, 4, 0, 0, 0, 0}, 1, kDestinationOptions))), NameOf(Reason::udp_truncated));
  EXPECT_EQ(NameOf(FromLan(Frame4(Head(Segment4(kOpen), 8), 6, kMoreFragments))), NameOf(Reason::tcp_truncated));
}

// RFC 1122 §3.3.6: a kernel takes UDP from such frames.
TEST_F(FieldB5, AFrameToAllIsNoWayIn) {
  const Bytes udp = Udp(kClient4, kService4, 40000, kOpen, {1});
  for (const MacAddress& to : {kBroadcastMac, Mac("01:00:5e:00:00:fb")}) {
    EXPECT_EQ(NameOf(FromLan(Frame4(udp, kProtocolUdp, 0, to))), NameOf(Reason::ip_group_frame));
    EXPECT_EQ(NameOf(FromLan(Frame4(Segment4(kOpen), 6, 0, to))), NameOf(Reason::ip_group_frame));
    EXPECT_EQ(NameOf(FromLan(Frame4(Bytes(24, 'x'), kProtocolUdp, 3, to))), NameOf(Reason::ip_group_frame));
  }
}

TEST_F(FieldB5, AServiceOfOneAddressIsOpenThereAndClosedElsewhere) {
  auto services = std::make_shared<ServiceMap>();
  services->drop_others = true;
  services->Add(
      {.name = "web", .first_port = kOpen, .last_port = kOpen, .local_address = snapshot_.addresses_v4[0].id});
  snapshot_.services = services;
  ASSERT_EQ(snapshot_.balance, nullptr);
  EXPECT_EQ(NameOf(FromLan(Frame4(Segment4(kOpen), 6, 0))), NameOf(Reason::host_service));
  const Bytes elsewhere =
      Build(Ether{kServiceMac6, kGatewayMac, 0x86dd}, Build(Ip6Header{kClient6, kService6, 6}, Segment6(kOpen)));
  EXPECT_EQ(NameOf(FromLan(elsewhere)), NameOf(Reason::service_port_closed));
}

}  // namespace qure::testing
