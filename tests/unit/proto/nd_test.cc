#include "proto/net/nd.h"

#include <gtest/gtest.h>

#include "proto/net/checksum.h"
#include "proto/net/ethernet.h"
#include "tests/unit/proto/wire.h"

namespace qure {
namespace {

constexpr size_t kIcmpOffset = sizeof(EthernetHeader) + sizeof(Ipv6Header);

const MacAddress kMac = Mac("02:00:00:00:00:01");
const Ipv6Address kTarget = V6("2001:db8:2::50");

// An ICMPv6 message within its packet, to be spoilt by the tests.
struct Message {
  Ipv6Header ip{.version_class_flow = Be32(uint32_t{6} << 28),
                .payload_length = Be16(32),
                .next_header = kProtocolIcmpv6,
                .hop_limit = 255,
                .source = V6("2001:db8:2::1"),
                .destination = SolicitedNode(kTarget)};
  NeighborMessage message{kNeighborSolicitation, 0, Be16(0), Be32(0), kTarget};
  Bytes options = Hex("01 01 020000000001");

  Bytes icmp() const { return AsBytes(message) + options; }
  ParseError Parse() const {
    NeighborView view;
    return ParseNeighbor(ip, icmp(), &view);
  }
};

Message Solicitation() {
  return {};
}

Message Advertisement() {
  Message m;
  m.ip.destination = V6("2001:db8:2::1");
  m.message.type = kNeighborAdvertisement;
  m.message.flags = Be32(kNaSolicited | kNaOverride);
  m.options = Hex("02 01 020000000001");
  return m;
}

TEST(Neighbor, ReadsASolicitation) {
  const Message m = Solicitation();
  const Bytes icmp = m.icmp();
  NeighborView view;
  ASSERT_EQ(ParseNeighbor(m.ip, icmp, &view), kSound);
  EXPECT_EQ(view.message->target, kTarget);
  EXPECT_EQ(view.link_layer, kMac);
  EXPECT_FALSE(view.dad);
}

TEST(Neighbor, ReadsAnAdvertisement) {
  const Message m = Advertisement();
  const Bytes icmp = m.icmp();
  NeighborView view;
  ASSERT_EQ(ParseNeighbor(m.ip, icmp, &view), kSound);
  EXPECT_EQ(view.message->flags.value(), kNaSolicited | kNaOverride);
  EXPECT_EQ(view.link_layer, kMac);
}

TEST(Neighbor, TakesItsOwnOptionOnly) {
  Message m = Solicitation();
  m.options = Hex("02 01 020000000009");  // a target option in a solicitation
  Bytes icmp = m.icmp();
  NeighborView view;
  ASSERT_EQ(ParseNeighbor(m.ip, icmp, &view), kSound);
  EXPECT_EQ(view.link_layer, std::nullopt);

  m.options = Hex("0e 02 0102030405060708090a0b0c0d0e") + m.options + Hex("01 01 020000000001 01 01 020000000007");
  icmp = m.icmp();
  ASSERT_EQ(ParseNeighbor(m.ip, icmp, &view), kSound);
  EXPECT_EQ(view.link_layer, kMac);  // the first of two
}

TEST(Neighbor, OptionOfNoUseIsNoAddress) {
  for (const char* options : {"01 02 0200000000010000000000000000", "01 01 030000000001", "01 01 000000000000"}) {
    Message m = Solicitation();
    m.options = Hex(options);
    const Bytes icmp = m.icmp();
    NeighborView view;
    ASSERT_EQ(ParseNeighbor(m.ip, icmp, &view), kSound) << options;
    EXPECT_EQ(view.link_layer, std::nullopt) << options;
  }
}

TEST(Neighbor, TruncatedAtEveryByte) {
  for (const Message& m : {Solicitation(), Advertisement()}) {
    const Bytes icmp = m.icmp();
    NeighborView view;
    for (size_t length = 0; length < icmp.size(); ++length) {
      if (length == sizeof(NeighborMessage)) continue;  // options are optional
      EXPECT_EQ(ParseNeighbor(m.ip, Prefix(icmp, length), &view), Reason::nd_malformed) << length;
    }
    EXPECT_EQ(ParseNeighbor(m.ip, Prefix(icmp, sizeof(NeighborMessage)), &view), kSound);
  }
}

// RFC 4861 §7.1.1 and §7.1.2, line by line.
TEST(Neighbor, HopLimit) {
  for (Message m : {Solicitation(), Advertisement()}) {
    m.ip.hop_limit = 254;
    EXPECT_EQ(m.Parse(), Reason::nd_malformed);
  }
}

TEST(Neighbor, Code) {
  for (Message m : {Solicitation(), Advertisement()}) {
    m.message.code = 1;
    EXPECT_EQ(m.Parse(), Reason::nd_malformed);
  }
}

TEST(Neighbor, Type) {
  Message m = Solicitation();
  m.message.type = kIcmpv6RouterSolicitation;
  EXPECT_EQ(m.Parse(), Reason::nd_malformed);
}

TEST(Neighbor, TargetIsNoGroup) {
  for (Message m : {Solicitation(), Advertisement()}) {
    m.message.target = V6("ff02::1");
    EXPECT_EQ(m.Parse(), Reason::nd_malformed);
  }
}

TEST(Neighbor, OptionLength) {
  Message m = Solicitation();
  m.options = Hex("01 00 020000000001");
  EXPECT_EQ(m.Parse(), Reason::nd_malformed);
  m.options = Hex("01 02 020000000001");  // beyond the message
  EXPECT_EQ(m.Parse(), Reason::nd_malformed);
  m.options = Hex("0e 00 020000000001");  // also of an option that is not for us
  EXPECT_EQ(m.Parse(), Reason::nd_malformed);
}

TEST(Neighbor, DuplicateAddressDetection) {
  Message m = Solicitation();
  m.ip.source = {};
  m.options = {};
  const Bytes icmp = m.icmp();
  NeighborView view;
  ASSERT_EQ(ParseNeighbor(m.ip, icmp, &view), kSound);
  EXPECT_TRUE(view.dad);

  Message with_option = m;
  with_option.options = Hex("01 01 020000000001");
  EXPECT_EQ(with_option.Parse(), Reason::nd_malformed);
  with_option.options = Hex("01 02 0200000000010000000000000000");  // of no use, but there
  EXPECT_EQ(with_option.Parse(), Reason::nd_malformed);

  Message unicast = m;
  unicast.ip.destination = kTarget;
  EXPECT_EQ(unicast.Parse(), Reason::nd_malformed);
  unicast.ip.destination = kAllNodes;
  EXPECT_EQ(unicast.Parse(), Reason::nd_malformed);
}

TEST(Neighbor, SolicitedAdvertisementToAGroup) {
  Message m = Advertisement();
  m.ip.destination = kAllNodes;
  EXPECT_EQ(m.Parse(), Reason::nd_malformed);
  m.message.flags = Be32(kNaOverride);
  EXPECT_EQ(m.Parse(), kSound);
}

// Checks the outer headers and the checksum of a built frame and parses the message.
NeighborView ParseFrame(const NeighborFrame& frame, size_t length, const NeighborFields& fields) {
  const ConstBytes bytes = ConstBytes(frame).first(length);
  EthernetView ethernet;
  EXPECT_EQ(ParseEthernet(bytes, &ethernet), kSound);
  EXPECT_EQ(ethernet.ether_type, kEtherTypeIpv6);
  EXPECT_EQ(ethernet.header->source, fields.ethernet_source);
  EXPECT_EQ(ethernet.header->destination, fields.ethernet_destination);
  IpView ip;
  EXPECT_EQ(ParseIpv6(bytes.subspan(ethernet.length), &ip), kSound);
  EXPECT_EQ(ip.protocol, kProtocolIcmpv6);
  EXPECT_EQ(ethernet.length + ip.end, static_cast<int>(length));
  const ConstBytes icmp = bytes.subspan(kIcmpOffset);
  EXPECT_EQ(TransportChecksum(fields.source, fields.destination, kProtocolIcmpv6, icmp).value(), 0);
  NeighborView view;
  EXPECT_EQ(ParseNeighbor(*HeaderAt<Ipv6Header>(bytes, ethernet.length), icmp, &view), kSound);
  return view;
}

NeighborFields Fields() {
  return {.ethernet_source = Mac("02:00:00:00:00:02"),
          .ethernet_destination = MulticastMac(SolicitedNode(kTarget)),
          .source = V6("fe80::1"),
          .destination = SolicitedNode(kTarget),
          .target = kTarget,
          .link_layer = kMac};
}

TEST(Neighbor, BuildsASolicitation) {
  const NeighborFields fields = Fields();
  NeighborFrame frame;
  const size_t length = BuildNeighborSolicitation(fields, &frame);
  EXPECT_EQ(length, frame.size());
  const NeighborView view = ParseFrame(frame, length, fields);
  EXPECT_EQ(view.message->type, kNeighborSolicitation);
  EXPECT_EQ(view.message->target, kTarget);
  EXPECT_EQ(view.message->flags.value(), 0u);
  EXPECT_EQ(view.link_layer, kMac);
}

TEST(Neighbor, BuildsAProbe) {
  NeighborFields fields = Fields();
  fields.source = {};
  NeighborFrame frame;
  const size_t length = BuildNeighborSolicitation(fields, &frame);
  EXPECT_EQ(length, frame.size() - 8);
  const NeighborView view = ParseFrame(frame, length, fields);
  EXPECT_TRUE(view.dad);
  EXPECT_EQ(view.link_layer, std::nullopt);
}

TEST(Neighbor, BuildsAnAdvertisement) {
  NeighborFields fields = Fields();
  fields.destination = kAllNodes;
  fields.ethernet_destination = MulticastMac(kAllNodes);
  fields.source = kTarget;
  fields.flags = kNaOverride;
  NeighborFrame frame;
  const size_t length = BuildNeighborAdvertisement(fields, &frame);
  EXPECT_EQ(length, frame.size());
  const NeighborView view = ParseFrame(frame, length, fields);
  EXPECT_EQ(view.message->type, kNeighborAdvertisement);
  EXPECT_EQ(view.message->flags.value(), kNaOverride);
  EXPECT_EQ(view.link_layer, kMac);
}

}  // namespace
}  // namespace qure
