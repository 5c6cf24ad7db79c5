// UDP and TCP: the fixed headers.
#include <gtest/gtest.h>

#include "proto/net/tcp.h"
#include "proto/net/udp.h"
#include "tests/unit/proto/wire.h"

namespace qure {
namespace {

const Bytes kDatagram = Hex("3039 0035 000c 1234 61626364");

TEST(Udp, ReadsADatagram) {
  const UdpHeader* udp = nullptr;
  ASSERT_EQ(ParseUdp(kDatagram, &udp), kSound);
  EXPECT_EQ(udp->source_port.value(), 12345);
  EXPECT_EQ(udp->destination_port.value(), 53);
  EXPECT_EQ(udp->length.value(), 12);
  EXPECT_EQ(udp->checksum.value(), 0x1234);
}

TEST(Udp, TruncatedAtEveryByte) {
  const UdpHeader* udp = nullptr;
  for (size_t length = 0; length < kDatagram.size(); ++length) {
    EXPECT_EQ(ParseUdp(Prefix(kDatagram, length), &udp), length < 8 ? Reason::udp_truncated : Reason::udp_length);
  }
  EXPECT_EQ(udp, nullptr);
}

TEST(Udp, LengthField) {
  const UdpHeader* udp = nullptr;
  EXPECT_EQ(ParseUdp(Hex("3039 0035 0007 0000"), &udp), Reason::udp_length);
  EXPECT_EQ(ParseUdp(Hex("3039 0035 0000 0000"), &udp), Reason::udp_length);
  EXPECT_EQ(ParseUdp(Hex("3039 0035 0009 0000"), &udp), Reason::udp_length);
  EXPECT_EQ(ParseUdp(Hex("3039 0035 0008 0000"), &udp), kSound);
  EXPECT_EQ(ParseUdp(Hex("3039 0035 0008 0000 00"), &udp), kSound);  // shorter than the packet is allowed
}

const Bytes kSegment = Hex("3039 0050 00000001 00000002 60 12 ffff 5678 0000 020405b4");

TEST(Tcp, ReadsASegment) {
  const TcpHeader* tcp = nullptr;
  ASSERT_EQ(ParseTcp(kSegment, &tcp), kSound);
  EXPECT_EQ(tcp->source_port.value(), 12345);
  EXPECT_EQ(tcp->destination_port.value(), 80);
  EXPECT_EQ(tcp->sequence.value(), 1u);
  EXPECT_EQ(tcp->acknowledgment.value(), 2u);
  EXPECT_EQ(tcp->flags, kTcpSyn | kTcpAck);
  EXPECT_EQ(tcp->checksum.value(), 0x5678);
}

TEST(Tcp, TruncatedAtEveryByte) {
  const TcpHeader* tcp = nullptr;
  for (size_t length = 0; length < kSegment.size(); ++length) {
    EXPECT_EQ(ParseTcp(Prefix(kSegment, length), &tcp), Reason::tcp_truncated) << length;
  }
  EXPECT_EQ(tcp, nullptr);
}

TEST(Tcp, DataOffset) {
  const TcpHeader* tcp = nullptr;
  Bytes segment = kSegment;
  for (const int words : {0, 1, 4, 7, 15}) {
    segment[12] = static_cast<uint8_t>(words << 4);
    EXPECT_EQ(ParseTcp(segment, &tcp), Reason::tcp_truncated) << words;
  }
  segment[12] = 0x5f;  // the lower half is not part of it
  EXPECT_EQ(ParseTcp(segment, &tcp), kSound);
}

}  // namespace
}  // namespace qure
