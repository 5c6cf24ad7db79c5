// IGMP and MLD. Frames and checksums are those that other hosts and routers send, or were computed apart from this
// code.
#include <gtest/gtest.h>

#include "proto/net/checksum.h"
#include "proto/net/igmp.h"
#include "proto/net/ip.h"
#include "proto/net/mld.h"
#include "tests/unit/proto/wire.h"

namespace qure {
namespace {

const MacAddress kMac = Mac("02:11:11:11:11:10");
const Ipv4Address kSource4 = V4("192.0.2.10");
const Ipv4Address kGroup4 = V4("239.255.255.250");

TEST(ResponseCode, IsAFloatingPointNumber) {
  // RFC 3376 §4.1.1
  EXPECT_EQ(DecodeResponseCode(0, 4), 0u);
  EXPECT_EQ(DecodeResponseCode(100, 4), 100u);
  EXPECT_EQ(DecodeResponseCode(127, 4), 127u);
  EXPECT_EQ(DecodeResponseCode(128, 4), 128u);
  EXPECT_EQ(DecodeResponseCode(0x8f, 4), 248u);
  EXPECT_EQ(DecodeResponseCode(255, 4), 31744u);
  // RFC 3810 §5.1.3
  EXPECT_EQ(DecodeResponseCode(32767, 12), 32767u);
  EXPECT_EQ(DecodeResponseCode(32768, 12), 32768u);
  EXPECT_EQ(DecodeResponseCode(0xffff, 12), 8387584u);
}

TEST(Igmp, GroupMac) {
  EXPECT_EQ(MulticastMac(V4("224.0.0.22")), Mac("01:00:5e:00:00:16"));
  EXPECT_EQ(MulticastMac(V4("239.192.1.2")), Mac("01:00:5e:40:01:02"));
  EXPECT_EQ(MulticastMac(V4("239.255.255.250")), Mac("01:00:5e:7f:ff:fa"));  // 23 bits
}

TEST(Igmp, V3Report) {
  const GroupRecord joined{GroupChange::kJoined, kGroup4};
  EXPECT_EQ(BuildIgmpV3Report(kMac, kSource4, {&joined, 1}),
            Hex("01005e000016 021111111110 0800"
                "46c00028 00000000 010281ef c000020a e0000016 94040000"
                "2200ea03 00000001 04000000 effffffa 000000000000"));  // padded to 60 bytes
}

TEST(Igmp, V3ReportOfMany) {
  std::vector<GroupRecord> records;
  for (uint8_t i = 0; i < kMaxGroupRecords; ++i)
    records.push_back({GroupChange::kListening, Ipv4Address{{239, 0, 0, i}}});
  records[1].change = GroupChange::kLeft;
  const Bytes frame = BuildIgmpV3Report(kMac, kSource4, records);
  ASSERT_EQ(frame.size(), 14 + 24 + 8 + kMaxGroupRecords * 8);
  const Bytes igmp(frame.begin() + 38, frame.end());
  EXPECT_EQ(InternetChecksum(igmp), Be16(0));
  EXPECT_EQ(Bytes(igmp.begin() + 6, igmp.begin() + 24), Hex("003c 02000000ef000000 03000000ef000001"));
}

TEST(Igmp, V2) {
  EXPECT_EQ(BuildIgmpV2Report(kMac, kSource4, kGroup4), Hex("01005e7ffffa 021111111110 0800"
                                                            "46c00020 00000000 01027213 c000020a effffffa 94040000"
                                                            "1600fa04 effffffa 0000000000000000000000000000"));
  EXPECT_EQ(BuildIgmpV2Leave(kMac, kSource4, kGroup4), Hex("01005e000002 021111111110 0800"
                                                           "46c00020 00000000 0102820b c000020a e0000002 94040000"
                                                           "1700f904 effffffa 0000000000000000000000000000"));
}

const Bytes kV2Query = Hex("46c00020 00000000 01028215 c0000201 e0000001 94040000 1164ee9b 00000000");
const Bytes kV3Query = Hex("46c00024 00000000 01028211 c0000201 e0000001 94040000 1164ec1e 00000000 027d0000");

// With other bytes in it, and its checksums made good again.
Bytes Igmp4(const Bytes& packet, size_t offset, const Bytes& change) {
  Bytes changed = packet;
  std::ranges::copy(change, changed.begin() + static_cast<ptrdiff_t>(offset));
  auto* ip = MutableHeaderAt<Ipv4Header>(changed, 0);
  ip->checksum = Be16(0);
  ip->checksum = InternetChecksum(ConstBytes(changed).first(24));
  auto* checksum = MutableHeaderAt<Be16>(changed, 26);
  *checksum = Be16(0);
  *checksum = InternetChecksum(ConstBytes(changed).subspan(24));
  return changed;
}

TEST(Igmp, ReadsQueries) {
  auto query = ParseIgmpQuery(kV2Query);
  ASSERT_TRUE(query);
  EXPECT_EQ(query->version, 2);
  EXPECT_EQ(query->group, IpAddress(Ipv4Address{}));
  EXPECT_EQ(query->max_response, Seconds(10));

  query = ParseIgmpQuery(kV3Query);
  ASSERT_TRUE(query);
  EXPECT_EQ(query->version, 3);
  EXPECT_EQ(query->max_response, Seconds(10));

  query = ParseIgmpQuery(Igmp4(kV2Query, 25, Hex("00")));
  ASSERT_TRUE(query);
  EXPECT_EQ(query->version, 1);
  EXPECT_EQ(query->max_response, Seconds(10));

  query = ParseIgmpQuery(Igmp4(kV3Query, 28, Hex("effffffa")) + Hex("000000000000"));  // padded on the link
  ASSERT_TRUE(query);
  EXPECT_EQ(query->group, IpAddress(kGroup4));

  query = ParseIgmpQuery(Igmp4(kV3Query, 12, Hex("00000000")));  // from a switch
  EXPECT_TRUE(query);
}

TEST(Igmp, RefusesWhatIsNoQuery) {
  EXPECT_FALSE(ParseIgmpQuery(Igmp4(kV2Query, 24, Hex("16"))));        // a report
  EXPECT_FALSE(ParseIgmpQuery(Igmp4(kV2Query, 28, Hex("c0000201"))));  // of no group
  EXPECT_FALSE(ParseIgmpQuery(Igmp4(kV3Query, 34, Hex("0001"))));      // a source that is not there
  EXPECT_FALSE(ParseIgmpQuery(Igmp4(kV3Query, 9, Hex("11"))));         // UDP
  EXPECT_FALSE(ParseIgmpQuery(Igmp4(kV3Query, 6, Hex("2000"))));       // a fragment
  EXPECT_FALSE(ParseIgmpQuery(Igmp4(kV3Query, 0, Hex("66"))));
  EXPECT_FALSE(ParseIgmpQuery(Igmp4(kV3Query, 2, Hex("0025"))));  // beyond the packet
  EXPECT_FALSE(ParseIgmpQuery(Igmp4(kV3Query, 2, Hex("0022"))));  // neither length of a query
}

TEST(Igmp, EveryBitCounts) {
  for (const Bytes& packet : {kV2Query, kV3Query}) {
    for (size_t bit = 0; bit < packet.size() * 8; ++bit) {
      Bytes changed = packet;
      changed[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      EXPECT_FALSE(ParseIgmpQuery(changed)) << "bit " << bit;
    }
    for (size_t length = 0; length < packet.size(); ++length) {
      EXPECT_FALSE(ParseIgmpQuery(Prefix(packet, length))) << length;
    }
  }
}

const Bytes kV1ListenerQuery =
    Hex("60000000 0020 00 01 fe800000000000000000000000000001 ff020000000000000000000000000001"
        "3a000502 00000100 82005917 27100000 00000000000000000000000000000000");
const Bytes kV2ListenerQuery =
    Hex("60000000 0024 00 01 fe800000000000000000000000000001 ff020000000000000000000000000001"
        "3a000502 00000100 82005696 27100000 00000000000000000000000000000000 027d0000");

Bytes Mld6(const Bytes& packet, size_t offset, const Bytes& change) {
  Bytes changed = packet;
  std::ranges::copy(change, changed.begin() + static_cast<ptrdiff_t>(offset));
  const auto* ip = HeaderAt<Ipv6Header>(changed, 0);
  auto* checksum = MutableHeaderAt<Be16>(changed, 50);
  *checksum = Be16(0);
  *checksum = TransportChecksum(ip->source, ip->destination, kProtocolIcmpv6, ConstBytes(changed).subspan(48));
  return changed;
}

TEST(Mld, Report) {
  const GroupRecord joined{GroupChange::kJoined, V6("ff02::1:ff00:50")};
  EXPECT_EQ(BuildMldReport(kMac, V6("fe80::1"), {&joined, 1}),
            Hex("333300000016 021111111110 86dd"
                "60000000 0024 00 01 fe800000000000000000000000000001 ff020000000000000000000000000016"
                "3a000502 00000100 8f0070b8 00000001 04000000 ff0200000000000000000001ff000050"));
}

// RFC 2710 §3
TEST(FieldA7, MldV1ReportAndDone) {
  const auto is_sound = [](const Bytes& frame) {
    const ConstBytes packet = ConstBytes(frame).subspan(14);
    const auto* ip = HeaderAt<Ipv6Header>(packet, 0);
    return TransportChecksum(ip->source, ip->destination, kProtocolIcmpv6, packet.subspan(48)) == Be16(0);
  };
  Bytes report = BuildMldV1Report(kMac, V6("fe80::1"), V6("ff02::1:ff00:50"));
  ASSERT_EQ(report.size(), 14u + 72u);
  EXPECT_TRUE(is_sound(report));
  report[14 + 50] = report[14 + 51] = 0;  // the checksum
  EXPECT_EQ(report, Hex("3333ff000050 021111111110 86dd"
                        "60000000 0020 00 01 fe800000000000000000000000000001 ff0200000000000000000001ff000050"
                        "3a000502 00000100 83000000 00000000 ff0200000000000000000001ff000050"));
  Bytes done = BuildMldV1Done(kMac, V6("fe80::1"), V6("ff02::1:ff00:50"));
  EXPECT_TRUE(is_sound(done));
  done[14 + 50] = done[14 + 51] = 0;
  EXPECT_EQ(done, Hex("333300000002 021111111110 86dd"
                      "60000000 0020 00 01 fe800000000000000000000000000001 ff020000000000000000000000000002"
                      "3a000502 00000100 84000000 00000000 ff0200000000000000000001ff000050"));
}

TEST(Mld, ReadsQueries) {
  auto query = ParseMldQuery(kV1ListenerQuery);
  ASSERT_TRUE(query);
  EXPECT_EQ(query->version, 1);
  EXPECT_EQ(query->group, IpAddress(Ipv6Address{}));
  EXPECT_EQ(query->max_response, Seconds(10));

  query = ParseMldQuery(kV2ListenerQuery);
  ASSERT_TRUE(query);
  EXPECT_EQ(query->version, 2);
  EXPECT_EQ(query->max_response, Seconds(10));

  query = ParseMldQuery(Mld6(kV2ListenerQuery, 56, Hex("ff0200000000000000000001ff000050")));
  ASSERT_TRUE(query);
  EXPECT_EQ(query->group, IpAddress(V6("ff02::1:ff00:50")));

  // The router alert behind other options.
  EXPECT_TRUE(ParseMldQuery(Mld6(kV2ListenerQuery, 42, Hex("0000 05020000"))));
}

// RFC 3810 §6.2
TEST(Mld, RefusesWhatIsNoQueryOfThisLink) {
  EXPECT_FALSE(ParseMldQuery(Mld6(kV2ListenerQuery, 7, Hex("02"))));             // hop limit
  EXPECT_FALSE(ParseMldQuery(Mld6(kV2ListenerQuery, 8, Hex("2001"))));           // not link-local
  EXPECT_FALSE(ParseMldQuery(Mld6(kV2ListenerQuery, 42, Hex("010400000000"))));  // only padding
  EXPECT_FALSE(ParseMldQuery(Mld6(kV2ListenerQuery, 42, Hex("05020001"))));      // RSVP's alert
  EXPECT_FALSE(ParseMldQuery(Mld6(kV2ListenerQuery, 42, Hex("05050000"))));      // beyond the header
  EXPECT_FALSE(ParseMldQuery(Mld6(kV2ListenerQuery, 42, Hex("000000000005"))));
  EXPECT_FALSE(ParseMldQuery(Mld6(kV2ListenerQuery, 48, Hex("83"))));    // a report
  EXPECT_FALSE(ParseMldQuery(Mld6(kV2ListenerQuery, 49, Hex("01"))));    // code
  EXPECT_FALSE(ParseMldQuery(Mld6(kV2ListenerQuery, 56, Hex("20"))));    // of no group
  EXPECT_FALSE(ParseMldQuery(Mld6(kV2ListenerQuery, 74, Hex("0001"))));  // a source that is not there
}

TEST(Mld, EveryBitCounts) {
  for (const Bytes& packet : {kV1ListenerQuery, kV2ListenerQuery}) {
    for (size_t bit = 48 * 8; bit < packet.size() * 8; ++bit) {
      Bytes changed = packet;
      changed[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      EXPECT_FALSE(ParseMldQuery(changed)) << "bit " << bit;
    }
    for (size_t length = 0; length < packet.size(); ++length) {
      EXPECT_FALSE(ParseMldQuery(Prefix(packet, length))) << length;
    }
  }
}

}  // namespace
}  // namespace qure
