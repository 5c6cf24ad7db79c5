#include "proto/net/checksum.h"

#include <gtest/gtest.h>

#include <random>

#include "proto/net/ip.h"
#include "tests/unit/proto/wire.h"

namespace qure {
namespace {

// The definition, word by word (RFC 1071 §1).
uint16_t PlainSum(ConstBytes bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    sum += i % 2 == 0 ? static_cast<uint32_t>(bytes[i]) << 8 : bytes[i];
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<uint16_t>(sum);
}

Bytes RandomBytes(size_t length, std::mt19937* random) {
  Bytes bytes(length);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>((*random)());
  return bytes;
}

TEST(Checksum, ExampleOfRfc1071) {
  // §3: the sum of these words is ddf2.
  EXPECT_EQ(InternetChecksum(Hex("0001 f203 f4f5 f6f7")).value(), static_cast<uint16_t>(~0xddf2));
}

TEST(Checksum, RealIpv4Header) {
  EXPECT_EQ(InternetChecksum(Hex("4500 0073 0000 4000 4011 0000 c0a8 0001 c0a8 00c7")).value(), 0xb861);
  EXPECT_EQ(InternetChecksum(Hex("4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7")).value(), 0);
}

TEST(Checksum, EmptyAndExtremes) {
  EXPECT_EQ(InternetChecksum({}).value(), 0xffff);
  EXPECT_EQ(InternetChecksum(Bytes(64, 0)).value(), 0xffff);
  EXPECT_EQ(InternetChecksum(Bytes(65536, 0xff)).value(), 0);
  EXPECT_EQ(InternetChecksum(Hex("ab")).value(), static_cast<uint16_t>(~0xab00));
}

TEST(Checksum, EveryLengthAndAlignment) {
  std::mt19937 random(2);
  const Bytes bytes = RandomBytes(160, &random);
  for (size_t start = 0; start < 8; ++start) {
    for (size_t length = 0; length + start <= bytes.size(); ++length) {
      const ConstBytes piece = ConstBytes(bytes).subspan(start, length);
      ASSERT_EQ(InternetChecksum(piece).value(), static_cast<uint16_t>(~PlainSum(piece))) << start << "+" << length;
    }
  }
}

TEST(Checksum, PiecesMakeTheWhole) {
  std::mt19937 random(3);
  for (int i = 0; i < 500; ++i) {
    const Bytes bytes = RandomBytes(2 + random() % 3000, &random);
    const size_t cut = random() % bytes.size() & ~size_t{1};
    ChecksumAccumulator sum;
    sum.Add(ConstBytes(bytes).first(cut));
    sum.Add(ConstBytes(bytes).subspan(cut));
    EXPECT_EQ(sum.Finish(), InternetChecksum(bytes));
  }
}

TEST(Checksum, AccumulatorDoesNotOverflow) {
  const Bytes ones(65534, 0xff);
  ChecksumAccumulator sum;
  for (int i = 0; i < 1000; ++i) sum.Add(ones);
  sum.Add(Be16(0x0102));
  EXPECT_EQ(sum.Finish().value(), static_cast<uint16_t>(~0x0102));
}

TEST(Checksum, IncrementalExampleOfRfc1624) {
  // §4: the field 0x5555 becomes 0x3285; equation 3 gives 0000 where equation 2 went wrong.
  EXPECT_EQ(UpdateChecksum(Be16(0xdd2f), Be16(0x5555), Be16(0x3285)).value(), 0x0000);
}

TEST(Checksum, IncrementalWordEqualsRecomputation) {
  std::mt19937 random(4);
  for (int i = 0; i < 20000; ++i) {
    Bytes bytes = RandomBytes(40, &random);
    bytes[0] = 0x45;  // all zeros have two representations; a header never is
    const Be16 before = InternetChecksum(bytes);
    const size_t offset = 2 + (random() % 19) * 2;
    auto* word = MutableHeaderAt<Be16>(bytes, offset);
    const Be16 old_word = *word;
    *word = Be16(static_cast<uint16_t>(i % 4 == 0 ? 0 : random()));
    EXPECT_EQ(UpdateChecksum(before, old_word, *word), InternetChecksum(bytes));
  }
}

TEST(Checksum, IncrementalRunEqualsRecomputation) {
  std::mt19937 random(5);
  for (int i = 0; i < 20000; ++i) {
    Bytes bytes = RandomBytes(60, &random);
    bytes[0] = 0x60;
    const Be16 before = InternetChecksum(bytes);
    const size_t offset = 2 + (random() % 10) * 2;
    const size_t length = (random() % 18) * 2;
    const ConstBytes run = ConstBytes(bytes).subspan(offset, length);
    const Bytes old_bytes(run.begin(), run.end());
    for (size_t j = 0; j < length; ++j) bytes[offset + j] = static_cast<uint8_t>(random() % 3 == 0 ? 0xff : random());
    EXPECT_EQ(UpdateChecksum(before, old_bytes, run), InternetChecksum(bytes));
  }
}

TEST(Checksum, Ipv4PseudoHeader) {
  const Bytes segment = Hex("3039 0035 000b 0000 616263");  // odd length
  const Bytes pseudo = Hex("c6336401 c6336432 00 11 000b");
  EXPECT_EQ(TransportChecksum(V4("198.51.100.1"), V4("198.51.100.50"), kProtocolUdp, segment),
            InternetChecksum(pseudo + segment));
}

TEST(Checksum, Ipv6PseudoHeader) {
  const Bytes segment = Hex("8000 0000 1234 0001 aabbcc");
  const Bytes pseudo = Hex("20010db8000200000000000000000001 20010db8000200000000000000000050 0000000b 000000 3a");
  EXPECT_EQ(TransportChecksum(V6("2001:db8:2::1"), V6("2001:db8:2::50"), kProtocolIcmpv6, segment),
            InternetChecksum(pseudo + segment));
}

TEST(Checksum, ZeroOverASegmentWithItsChecksum) {
  Bytes segment = Hex("3039 0035 000c 0000 61626364");
  const Be16 v4 = TransportChecksum(V4("192.0.2.1"), V4("192.0.2.2"), kProtocolUdp, segment);
  *MutableHeaderAt<Be16>(segment, 6) = v4;
  EXPECT_EQ(TransportChecksum(V4("192.0.2.1"), V4("192.0.2.2"), kProtocolUdp, segment).value(), 0);
  EXPECT_NE(TransportChecksum(V4("192.0.2.1"), V4("192.0.2.3"), kProtocolUdp, segment).value(), 0);
  EXPECT_NE(TransportChecksum(V4("192.0.2.1"), V4("192.0.2.2"), kProtocolTcp, segment).value(), 0);
}

}  // namespace
}  // namespace qure
