#include "proto/net/udp_frame.h"

#include <gtest/gtest.h>

#include "proto/net/checksum.h"
#include "proto/net/ethernet.h"
#include "proto/net/ip.h"
#include "proto/net/udp.h"
#include "tests/unit/proto/wire.h"

namespace qure {
namespace {

UdpFields Fields() {
  return {.ethernet_source = Mac("02:11:11:11:11:10"),
          .ethernet_destination = DestinationMac(V4("239.192.1.2")),
          .source = V4("192.0.2.10"),
          .destination = V4("239.192.1.2"),
          .source_port = 7873,
          .destination_port = 7873};
}

Bytes Write(const UdpFields& fields, const Bytes& payload) {
  Bytes frame(kUdpFrameHeaders + payload.size(), 0xee);
  WriteUdpFrame(fields, payload, frame);
  return frame;
}

TEST(UdpFrame, DestinationMac) {
  const MacAddress unicast = Mac("02:00:00:00:00:01");
  EXPECT_EQ(DestinationMac(V4("192.0.2.1"), unicast), unicast);
  EXPECT_EQ(DestinationMac(V4("239.192.1.2"), unicast), Mac("01:00:5e:40:01:02"));
  EXPECT_EQ(DestinationMac(V4("255.255.255.255"), unicast), kBroadcastMac);
}

// The checksums were computed apart from this code.
TEST(UdpFrame, ToAGroup) {
  EXPECT_EQ(Write(Fields(), Hex("68656c6c6f")), Hex("01005e400102 021111111110 0800"
                                                    "45c00021 00004000 ff11c83e c000020a efc00102"
                                                    "1ec11ec1 000dcbb2 68656c6c6f"));
}

TEST(UdpFrame, ParsersTakeIt) {
  for (const size_t size : {0, 1, 18, 1400}) {
    const Bytes frame = Write(Fields(), Bytes(size, 0x5a));
    EthernetView ethernet;
    ASSERT_EQ(ParseEthernet(frame, &ethernet), kSound);
    const ConstBytes packet = ConstBytes(frame).subspan(ethernet.length);
    IpView ip;
    ASSERT_EQ(ParseIpv4(packet, false, &ip), kSound);
    EXPECT_EQ(ip.end, packet.size());
    EXPECT_FALSE(ip.fragment);
    const ConstBytes segment = packet.subspan(ip.transport);
    const UdpHeader* udp = nullptr;
    ASSERT_EQ(ParseUdp(segment, &udp), kSound);
    EXPECT_EQ(udp->length.value(), segment.size());
    EXPECT_EQ(TransportChecksum(Fields().source, Fields().destination, kProtocolUdp, segment), Be16(0));
  }
}

// RFC 768: a sum of zero is sent as all ones. One of all two-byte payloads gives it.
TEST(UdpFrame, ChecksumIsNeverZero) {
  bool met = false;
  for (uint32_t word = 0; word <= 0xffff; ++word) {
    const Bytes frame = Write(Fields(), {static_cast<uint8_t>(word >> 8), static_cast<uint8_t>(word)});
    const Be16 checksum = HeaderAt<UdpHeader>(frame, kUdpFrameHeaders - sizeof(UdpHeader))->checksum;
    ASSERT_NE(checksum.value(), 0);
    met |= checksum.value() == 0xffff;
  }
  EXPECT_TRUE(met);
}

}  // namespace
}  // namespace qure
