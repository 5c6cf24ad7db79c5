#include "proto/net/ip.h"

#include <gtest/gtest.h>

#include "proto/net/checksum.h"
#include "tests/unit/proto/wire.h"

namespace qure {
namespace {

struct V4Fields {
  uint8_t version_ihl = 0x45;
  uint16_t total_length = 28;
  uint16_t fragment = 0;
  uint8_t protocol = kProtocolUdp;
  Ipv4Address source = V4("198.51.100.1");
};

// A header, `options` and eight bytes of payload.
Bytes V4Packet(const V4Fields& fields, const Bytes& options = {}) {
  Bytes packet = AsBytes(Ipv4Header{.version_ihl = fields.version_ihl,
                                    .type_of_service = 0,
                                    .total_length = Be16(fields.total_length),
                                    .identification = Be16(7),
                                    .fragment = Be16(fields.fragment),
                                    .time_to_live = 64,
                                    .protocol = fields.protocol,
                                    .checksum = Be16(0),
                                    .source = fields.source,
                                    .destination = V4("198.51.100.50")});
  packet = packet + options;
  MutableHeaderAt<Ipv4Header>(packet, 0)->checksum = InternetChecksum(packet);
  return packet + Bytes(8, 0xaa);
}

ParseError ErrorOf(const Bytes& packet) {
  IpView view;
  return ParseIpv4(packet, false, &view);
}

TEST(Ipv4, Plain) {
  IpView view;
  ASSERT_EQ(ParseIpv4(V4Packet({}), false, &view), kSound);
  EXPECT_EQ(view.transport, 20);
  EXPECT_EQ(view.end, 28);
  EXPECT_EQ(view.protocol, kProtocolUdp);
  EXPECT_FALSE(view.fragment);
  EXPECT_FALSE(view.first_fragment);
  EXPECT_FALSE(view.options);
}

TEST(Ipv4, EndIsBeforeThePadding) {
  IpView view;
  ASSERT_EQ(ParseIpv4(V4Packet({}) + Bytes(18, 0), false, &view), kSound);
  EXPECT_EQ(view.end, 28);
}

TEST(Ipv4, Options) {
  IpView view;
  const Bytes packet = V4Packet({.version_ihl = 0x46, .total_length = 32}, Hex("94040000"));  // router alert, RFC 2113
  ASSERT_EQ(ParseIpv4(packet, false, &view), kSound);
  EXPECT_EQ(view.transport, 24);
  EXPECT_TRUE(view.options);
  ASSERT_EQ(ParseIpv4(V4Packet({.version_ihl = 0x4f, .total_length = 68}, Bytes(40, 1)), false, &view), kSound);
  EXPECT_EQ(view.transport, 60);
}

TEST(Ipv4, Fragments) {
  IpView view;
  ASSERT_EQ(ParseIpv4(V4Packet({.fragment = 0x4000}), false, &view), kSound);  // do not fragment
  EXPECT_FALSE(view.fragment);
  ASSERT_EQ(ParseIpv4(V4Packet({.fragment = 0x2000}), false, &view), kSound);  // first of several
  EXPECT_TRUE(view.fragment);
  EXPECT_TRUE(view.first_fragment);
  EXPECT_EQ(view.transport, 20);
  for (const uint16_t fragment : std::initializer_list<uint16_t>{0x2001, 0x0001, 0x1fff}) {  // middle and last
    ASSERT_EQ(ParseIpv4(V4Packet({.fragment = fragment}), false, &view), kSound);
    EXPECT_TRUE(view.fragment);
    EXPECT_FALSE(view.first_fragment);
    EXPECT_EQ(view.transport, 0);
  }
}

TEST(Ipv4, TruncatedAtEveryByte) {
  const Bytes packet = V4Packet({.version_ihl = 0x46, .total_length = 32}, Hex("94040000"));
  for (size_t length = 0; length < packet.size(); ++length) {
    const Reason expected = length < 20   ? Reason::ip4_truncated
                            : length < 24 ? Reason::ip4_header_length
                                          : Reason::ip4_total_length;
    EXPECT_EQ(ErrorOf(Prefix(packet, length)), expected) << length;
  }
}

TEST(Ipv4, FieldsThatDoNotFit) {
  EXPECT_EQ(ErrorOf(V4Packet({.version_ihl = 0x65})), Reason::ip4_version);
  EXPECT_EQ(ErrorOf(V4Packet({.version_ihl = 0x44})), Reason::ip4_header_length);
  EXPECT_EQ(ErrorOf(V4Packet({.version_ihl = 0x40})), Reason::ip4_header_length);
  EXPECT_EQ(ErrorOf(V4Packet({.version_ihl = 0x48})), Reason::ip4_header_length);
  EXPECT_EQ(ErrorOf(V4Packet({.total_length = 19})), Reason::ip4_total_length);
  EXPECT_EQ(ErrorOf(V4Packet({.total_length = 0})), Reason::ip4_total_length);
  EXPECT_EQ(ErrorOf(V4Packet({.total_length = 29})), Reason::ip4_total_length);
  EXPECT_EQ(ErrorOf(V4Packet({.total_length = 20})), kSound);
}

TEST(Ipv4, Checksum) {
  Bytes packet = V4Packet({});
  ++packet[8];
  EXPECT_EQ(ErrorOf(packet), Reason::ip4_checksum);
  IpView view;
  EXPECT_EQ(ParseIpv4(packet, true, &view), kSound);  // the port has looked already
}

TEST(Ipv4, SourceThatIsNobody) {
  for (const char* source : {"0.0.0.0", "224.0.0.1", "239.1.2.3", "255.255.255.255", "127.0.0.1", "127.255.0.1"}) {
    EXPECT_EQ(ErrorOf(V4Packet({.source = V4(source)})), Reason::ip4_source) << source;
  }
}

struct V6Fields {
  uint32_t version = 6;
  uint8_t next_header = kProtocolUdp;
  int payload_excess = 0;  // payload length field beyond what is there
  Ipv6Address source = V6("2001:db8:2::1");
};

Bytes V6Packet(const V6Fields& fields, const Bytes& payload) {
  const auto length = static_cast<uint16_t>(static_cast<int>(payload.size()) + fields.payload_excess);
  return AsBytes(Ipv6Header{.version_class_flow = Be32(fields.version << 28 | 0x12345),
                            .payload_length = Be16(length),
                            .next_header = fields.next_header,
                            .hop_limit = 64,
                            .source = fields.source,
                            .destination = V6("2001:db8:2::50")}) +
         payload;
}

const Bytes kPayload(8, 0xaa);
constexpr uint8_t kHop = 0;
constexpr uint8_t kRoute = 43;
constexpr uint8_t kFrag = 44;
constexpr uint8_t kEsp = 50;
constexpr uint8_t kAuth = 51;
constexpr uint8_t kDest = 60;

// An extension header of 8 · `units` bytes.
Bytes Extension(uint8_t next, uint8_t units = 1) {
  Bytes bytes(8 * size_t{units}, 0);
  bytes[0] = next;
  bytes[1] = static_cast<uint8_t>(units - 1);
  return bytes;
}

Bytes Fragment(uint8_t next, uint16_t offset_flags) {
  return Bytes{next, 0, static_cast<uint8_t>(offset_flags >> 8), static_cast<uint8_t>(offset_flags), 1, 2, 3, 4};
}

ParseError ErrorOf6(const Bytes& packet) {
  IpView view;
  return ParseIpv6(packet, &view);
}

TEST(Ipv6, Plain) {
  IpView view;
  ASSERT_EQ(ParseIpv6(V6Packet({}, kPayload) + Bytes(6, 0), &view), kSound);
  EXPECT_EQ(view.transport, 40);
  EXPECT_EQ(view.end, 48);
  EXPECT_EQ(view.protocol, kProtocolUdp);
  EXPECT_FALSE(view.fragment);
  EXPECT_FALSE(view.options);
}

TEST(Ipv6, EmptyPayload) {
  IpView view;
  ASSERT_EQ(ParseIpv6(V6Packet({.next_header = kProtocolNone}, {}), &view), kSound);
  EXPECT_EQ(view.protocol, kProtocolNone);
  EXPECT_EQ(view.transport, 40);
  EXPECT_EQ(view.end, 40);
}

TEST(Ipv6, WalksExtensionHeaders) {
  IpView view;
  const Bytes authentication = Hex("11 04 0000 00000001 00000002 000000000000000000000000");  // (4 + 2) · 4 bytes
  const Bytes chain = Extension(kDest) + Extension(kRoute, 2) + Extension(kAuth, 3) + authentication;
  ASSERT_EQ(ParseIpv6(V6Packet({.next_header = kHop}, chain + kPayload), &view), kSound);
  EXPECT_EQ(view.transport, 40 + 8 + 16 + 24 + 24);
  EXPECT_EQ(view.end, view.transport + 8);
  EXPECT_EQ(view.protocol, kProtocolUdp);
  EXPECT_TRUE(view.options);
  EXPECT_FALSE(view.fragment);
}

TEST(Ipv6, WhatIsNoExtensionHeaderIsTheTransport) {
  IpView view;
  ASSERT_EQ(ParseIpv6(V6Packet({.next_header = kEsp}, kPayload), &view), kSound);
  EXPECT_EQ(view.protocol, kEsp);
  EXPECT_EQ(view.transport, 40);
}

TEST(Ipv6, FirstFragment) {
  IpView view;
  ASSERT_EQ(ParseIpv6(V6Packet({.next_header = kFrag}, Fragment(kProtocolUdp, 0x0001) + kPayload), &view), kSound);
  EXPECT_TRUE(view.fragment);
  EXPECT_TRUE(view.first_fragment);
  EXPECT_TRUE(view.partial());
  EXPECT_FALSE(view.options);
  EXPECT_EQ(view.transport, 48);
  EXPECT_EQ(view.protocol, kProtocolUdp);
  // Headers behind the fragment header belong to the first fragment (RFC 7112).
  const Bytes chain = Fragment(kDest, 0x0001) + Extension(kProtocolTcp);
  ASSERT_EQ(ParseIpv6(V6Packet({.next_header = kFrag}, chain + kPayload), &view), kSound);
  EXPECT_EQ(view.protocol, kProtocolTcp);
  EXPECT_EQ(view.transport, 56);
}

TEST(Ipv6, AtomicFragmentIsAFirstFragment) {
  IpView view;
  ASSERT_EQ(ParseIpv6(V6Packet({.next_header = kFrag}, Fragment(kProtocolUdp, 0) + kPayload), &view), kSound);
  EXPECT_TRUE(view.fragment);
  EXPECT_TRUE(view.first_fragment);
  EXPECT_TRUE(view.atomic);
  EXPECT_FALSE(view.partial());
  // One in the other: whole only if both are.
  const Bytes nested = Fragment(kFrag, 0x0001) + Fragment(kProtocolUdp, 0);
  ASSERT_EQ(ParseIpv6(V6Packet({.next_header = kFrag}, nested + kPayload), &view), kSound);
  EXPECT_TRUE(view.partial());
}

TEST(Ipv6, LaterFragmentEndsTheWalk) {
  IpView view;
  // What follows would be a broken chain, were it looked at.
  ASSERT_EQ(ParseIpv6(V6Packet({.next_header = kFrag}, Fragment(kDest, 0x0008) + Hex("00ff")), &view), kSound);
  EXPECT_TRUE(view.fragment);
  EXPECT_FALSE(view.first_fragment);
  EXPECT_EQ(view.transport, 0);
  EXPECT_EQ(view.protocol, kDest);
  EXPECT_EQ(view.end, 50);
}

TEST(Ipv6, TruncatedAtEveryByte) {
  const Bytes packet = V6Packet({}, kPayload);
  for (size_t length = 0; length < packet.size(); ++length) {
    EXPECT_EQ(ErrorOf6(Prefix(packet, length)), length < 40 ? Reason::ip6_truncated : Reason::ip6_payload_length);
  }
}

TEST(Ipv6, ChainTruncatedAtEveryByte) {
  const Bytes chain = Extension(kFrag, 2) + Fragment(kAuth, 1) + Hex("11 04 0000") + Bytes(20, 0);
  for (size_t length = 0; length < chain.size(); ++length) {
    EXPECT_EQ(ErrorOf6(V6Packet({.next_header = kDest}, Prefix(chain, length))), Reason::ip6_extension) << length;
  }
  EXPECT_EQ(ErrorOf6(V6Packet({.next_header = kDest}, chain)), kSound);
}

TEST(Ipv6, ChainEndsInsideThePacketNotInThePadding) {
  EXPECT_EQ(ErrorOf6(V6Packet({.next_header = kDest, .payload_excess = -4}, Extension(kProtocolUdp))),
            Reason::ip6_extension);
}

TEST(Ipv6, ChainTooLong) {
  Bytes chain;
  for (int i = 0; i < kMaxExtensionHeaders - 1; ++i) chain = chain + Extension(kDest);
  EXPECT_EQ(ErrorOf6(V6Packet({.next_header = kDest}, chain + Extension(kProtocolUdp) + kPayload)), kSound);
  EXPECT_EQ(ErrorOf6(V6Packet({.next_header = kDest}, chain + Extension(kDest) + Extension(kProtocolUdp) + kPayload)),
            Reason::ip6_extension);
}

TEST(Ipv6, HopByHopComesFirst) {
  EXPECT_EQ(ErrorOf6(V6Packet({.next_header = kDest}, Extension(kHop) + Extension(kProtocolUdp) + kPayload)),
            Reason::ip6_extension);
}

TEST(Ipv6, FieldsThatDoNotFit) {
  EXPECT_EQ(ErrorOf6(V6Packet({.version = 4}, kPayload)), Reason::ip6_version);
  EXPECT_EQ(ErrorOf6(V6Packet({.payload_excess = 1}, kPayload)), Reason::ip6_payload_length);
  EXPECT_EQ(ErrorOf6(V6Packet({.payload_excess = -1}, kPayload)), kSound);
  EXPECT_EQ(ErrorOf6(V6Packet({}, Bytes(65535, 0))), Reason::ip6_payload_length);  // beyond a 16-bit offset
}

TEST(Ipv6, Source) {
  EXPECT_EQ(ErrorOf6(V6Packet({.source = V6("ff02::1")}, kPayload)), Reason::ip6_source);
  EXPECT_EQ(ErrorOf6(V6Packet({.source = V6("::1")}, kPayload)), Reason::ip6_source);
  EXPECT_EQ(ErrorOf6(V6Packet({.source = V6("::")}, kPayload)), kSound);  // duplicate address detection
}

}  // namespace
}  // namespace qure
