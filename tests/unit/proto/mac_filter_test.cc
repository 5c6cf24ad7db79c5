#include "proto/net/mac_filter.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace qure {
namespace {

MacAddress Numbered(uint32_t number) {
  return {{2, 0, static_cast<uint8_t>(number >> 24), static_cast<uint8_t>(number >> 16),
           static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)}};
}

TEST(MacFilterTest, AnEmptyOneHoldsNobody) {
  const MacFilter filter;
  EXPECT_FALSE(filter.MayHold({}));
  for (uint32_t i = 0; i < 1000; ++i) EXPECT_FALSE(filter.MayHold(Numbered(i)));
}

TEST(MacFilterTest, HoldsWhatWasAdded) {
  MacFilter filter;
  for (uint32_t i = 0; i < 1000; ++i) {
    filter.Add(Numbered(i * 7919));
    ASSERT_TRUE(filter.MayHold(Numbered(i * 7919)));
  }
}

// One stranger in a hundred at five addresses: neighbours, as those of one machine often are, do not share bits.
TEST(MacFilterTest, TellsStrangers) {
  MacFilter filter;
  for (uint32_t i = 0; i < 5; ++i) filter.Add(Numbered(i));
  constexpr uint32_t kStrangers = 100'000;
  uint32_t taken = 0;
  for (uint32_t i = 5; i < 5 + kStrangers; ++i) taken += filter.MayHold(Numbered(i)) ? 1 : 0;
  EXPECT_NEAR(taken, kStrangers * 5 / 512, kStrangers / 500);
}

}  // namespace
}  // namespace qure
