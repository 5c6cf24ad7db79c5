#include "proto/endian.h"

#include <gtest/gtest.h>

#include <type_traits>

#include "tests/unit/proto/wire.h"

namespace qure {
namespace {

TEST(BigEndian, MostSignificantByteFirst) {
  EXPECT_EQ(AsBytes(Be16(0x0102)), Hex("0102"));
  EXPECT_EQ(AsBytes(Be32(0x01020304)), Hex("01020304"));
  EXPECT_EQ(AsBytes(Be64(0x0102030405060708)), Hex("0102030405060708"));
}

TEST(BigEndian, GivesBackItsValue) {
  EXPECT_EQ(Be16(0xfedc).value(), 0xfedc);
  EXPECT_EQ(Be32(0xfedcba98).value(), 0xfedcba98u);
  EXPECT_EQ(Be64(0xfedcba9876543210).value(), 0xfedcba9876543210u);
  EXPECT_EQ(Be32().value(), 0u);
}

TEST(BigEndian, NoImplicitConversion) {
  static_assert(!std::is_convertible_v<uint16_t, Be16>);
  static_assert(!std::is_convertible_v<Be16, uint16_t>);
  static_assert(WireHeader<Be64>);
}

TEST(HeaderAt, FitsOrIsNull) {
  const Bytes bytes = Hex("00010203");
  EXPECT_EQ(HeaderAt<Be16>(bytes, 1)->value(), 0x0102);
  EXPECT_EQ(HeaderAt<Be32>(bytes, 0)->value(), 0x00010203u);
  EXPECT_EQ(HeaderAt<Be32>(bytes, 1), nullptr);
  EXPECT_EQ(HeaderAt<Be16>(bytes, 4), nullptr);
  EXPECT_EQ(HeaderAt<Be16>(bytes, 5), nullptr);
  EXPECT_EQ(HeaderAt<Be16>(bytes, SIZE_MAX), nullptr);
}

}  // namespace
}  // namespace qure
