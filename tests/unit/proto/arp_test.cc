#include "proto/net/arp.h"

#include <gtest/gtest.h>

#include "tests/unit/proto/wire.h"

namespace qure {
namespace {

const Bytes kRequest =
    Hex("0001 0800 06 04 0001"
        "020000000001 c6336401"
        "000000000000 c6336432");

ParseError Parse(const Bytes& bytes, const ArpPacket** out) {
  return ParseArp(bytes, out);
}

ParseError ErrorOf(const Bytes& bytes) {
  const ArpPacket* arp = nullptr;
  const ParseError error = Parse(bytes, &arp);
  EXPECT_EQ(arp == nullptr, error.has_value());
  return error;
}

Bytes WithByte(Bytes bytes, size_t offset, uint8_t value) {
  bytes[offset] = value;
  return bytes;
}

TEST(Arp, ReadsARequest) {
  const ArpPacket* arp = nullptr;
  ASSERT_EQ(Parse(kRequest, &arp), kSound);
  EXPECT_TRUE(arp->is_request());
  EXPECT_FALSE(arp->is_probe());
  EXPECT_FALSE(arp->is_announcement());
  EXPECT_EQ(arp->sender_mac, Mac("02:00:00:00:00:01"));
  EXPECT_EQ(arp->sender_ip, V4("198.51.100.1"));
  EXPECT_EQ(arp->target_mac, MacAddress{});
  EXPECT_EQ(arp->target_ip, V4("198.51.100.50"));
}

TEST(Arp, TruncatedAtEveryByte) {
  for (size_t length = 0; length < kRequest.size(); ++length) {
    EXPECT_EQ(ErrorOf(Prefix(kRequest, length)), Reason::arp_truncated) << length;
  }
}

TEST(Arp, Malformed) {
  EXPECT_EQ(ErrorOf(WithByte(kRequest, 1, 6)), Reason::arp_malformed);     // hardware: IEEE 802
  EXPECT_EQ(ErrorOf(WithByte(kRequest, 2, 0x86)), Reason::arp_malformed);  // protocol
  EXPECT_EQ(ErrorOf(WithByte(kRequest, 4, 8)), Reason::arp_malformed);     // hardware length
  EXPECT_EQ(ErrorOf(WithByte(kRequest, 5, 16)), Reason::arp_malformed);    // protocol length
  EXPECT_EQ(ErrorOf(WithByte(kRequest, 7, 0)), Reason::arp_malformed);     // operation
  EXPECT_EQ(ErrorOf(WithByte(kRequest, 7, 3)), Reason::arp_malformed);     // RARP
}

TEST(Arp, SenderIsNobody) {
  EXPECT_EQ(ErrorOf(WithByte(WithByte(kRequest, 8, 0), 13, 0)), Reason::arp_sender_mismatch);  // zero
  EXPECT_EQ(ErrorOf(Hex("0001 0800 06 04 0002 ffffffffffff c6336401 020000000001 c6336432")),
            Reason::arp_sender_mismatch);
}

TEST(Arp, BuildsWhatItParses) {
  const ArpFields fields{.operation = kArpReply,
                         .ethernet_source = Mac("02:00:00:00:00:02"),
                         .ethernet_destination = Mac("02:00:00:00:00:01"),
                         .sender_mac = Mac("02:00:00:00:00:03"),
                         .sender_ip = V4("198.51.100.50"),
                         .target_mac = Mac("02:00:00:00:00:01"),
                         .target_ip = V4("198.51.100.1")};
  const ArpFrame frame = BuildArp(fields);
  EXPECT_EQ(frame.size(), 60u);
  EthernetView ethernet;
  ASSERT_EQ(ParseEthernet(frame, &ethernet), kSound);
  EXPECT_EQ(ethernet.ether_type, kEtherTypeArp);
  EXPECT_EQ(ethernet.header->destination, fields.ethernet_destination);
  EXPECT_EQ(ethernet.header->source, fields.ethernet_source);
  const ArpPacket* arp = nullptr;
  ASSERT_EQ(ParseArp(ConstBytes(frame).subspan(ethernet.length), &arp), kSound);
  EXPECT_EQ(arp->operation.value(), kArpReply);
  EXPECT_EQ(arp->sender_mac, fields.sender_mac);
  EXPECT_EQ(arp->sender_ip, fields.sender_ip);
  EXPECT_EQ(arp->target_mac, fields.target_mac);
  EXPECT_EQ(arp->target_ip, fields.target_ip);
  for (size_t i = sizeof(EthernetHeader) + sizeof(ArpPacket); i < frame.size(); ++i) EXPECT_EQ(frame[i], 0) << i;
}

TEST(Arp, ProbeAndAnnouncement) {
  ArpFields fields{.ethernet_source = Mac("02:00:00:00:00:02"),
                   .sender_mac = Mac("02:00:00:00:00:02"),
                   .target_ip = V4("198.51.100.50")};
  const auto packet = [&fields](auto check) {
    const ArpFrame frame = BuildArp(fields);
    const ArpPacket* arp = nullptr;
    ASSERT_EQ(ParseArp(ConstBytes(frame).subspan(sizeof(EthernetHeader)), &arp), kSound);
    check(*arp);
  };
  packet([](const ArpPacket& arp) {
    EXPECT_TRUE(arp.is_probe());
    EXPECT_FALSE(arp.is_announcement());
  });
  fields.sender_ip = fields.target_ip;
  packet([](const ArpPacket& arp) {
    EXPECT_FALSE(arp.is_probe());
    EXPECT_TRUE(arp.is_announcement());
  });
  fields.operation = kArpReply;
  packet([](const ArpPacket& arp) {
    EXPECT_FALSE(arp.is_request());
    EXPECT_TRUE(arp.is_announcement());
  });
}

}  // namespace
}  // namespace qure
