// Addresses that open many flows are found among many that do not, and no other is reported.
#include "dataplane/pipeline/heavy_hitter_detector.h"

#include <gtest/gtest.h>

#include <random>

namespace qure {
namespace {

constexpr uint64_t kSeed = 0x7e57;

RemoteAddress Host(uint32_t number) {
  return MappedAddress({{198, static_cast<uint8_t>(18 + (number >> 16 & 1)), static_cast<uint8_t>(number >> 8),
                         static_cast<uint8_t>(number)}});
}
const RemoteAddress kHeavyHitter = MappedAddress({{203, 0, 113, 9}});

class HeavyHitterDetectorTest : public ::testing::Test {
 protected:
  HeavyHitterDetectorTest() {
    watch_.SetThreshold(100);
    watch_.Round(now_);
  }
  HeavyHitterDetector watch_{kSeed};
  MonoTime now_{Seconds(100).ns};
};

}  // namespace

TEST_F(HeavyHitterDetectorTest, AnAddressIsToldOfWhenItHasOpenedEnough) {
  for (int i = 0; i < 99; ++i) watch_.Note(kHeavyHitter);
  EXPECT_TRUE(watch_.Take().empty());
  watch_.Note(kHeavyHitter);
  const auto& found = watch_.Take();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].remote, kHeavyHitter);
  EXPECT_TRUE(found[0].many);
  for (int i = 0; i < 1000; ++i) watch_.Note(kHeavyHitter);
  EXPECT_TRUE(watch_.Take().empty()) << "once a window";
}

TEST_F(HeavyHitterDetectorTest, ItIsFoundAmongManyOthersAndNobodyElseIs) {
  std::mt19937 random(1);
  for (int i = 0; i < 100'000; ++i) {
    watch_.Note(Host(random() & 0x1ffff));
    if (i % 100 == 0) watch_.Note(kHeavyHitter);
  }
  EXPECT_LE(watch_.Sure(kHeavyHitter), 1000U);
  const auto& found = watch_.Take();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].remote, kHeavyHitter);
}

TEST_F(HeavyHitterDetectorTest, WhatItIsSureOfIsNeverTooHighAndTheErrorIsBounded) {
  std::mt19937 random(2);
  constexpr uint32_t kHeavy = 20;
  std::array<uint32_t, kHeavy> opened{};
  uint32_t all = 0;
  for (int i = 0; i < 200'000; ++i, ++all) {
    const uint32_t pick = static_cast<uint32_t>(random()) % 100;
    if (pick < kHeavy) ++opened[pick];
    watch_.Note(pick < kHeavy ? Host(pick) : Host(1000 + (random() & 0xffff)));
  }
  for (uint32_t i = 0; i < kHeavy; ++i) {
    EXPECT_LE(watch_.Sure(Host(i)), opened[i]);
    // Its own count is certain from when its counter was taken over for the last time, which was early.
    EXPECT_GE(watch_.Sure(Host(i)) + 4 * all / SpaceSaving::kCounters, opened[i]);
  }
}

TEST_F(HeavyHitterDetectorTest, AtTheEndOfAWindowThoseAreToldOfThatKeepAHeavyHitter) {
  for (int i = 0; i < 25; ++i) watch_.Note(kHeavyHitter);
  for (int i = 0; i < 24; ++i) watch_.Note(Host(1));
  watch_.Round(now_ + kHeavyHitterWindow - Milliseconds(1));
  EXPECT_TRUE(watch_.Take().empty());
  watch_.Round(now_ + kHeavyHitterWindow);
  const auto& found = watch_.Take();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].remote, kHeavyHitter);
  EXPECT_FALSE(found[0].many);
  EXPECT_EQ(watch_.Sure(kHeavyHitter), 0U) << "the next window begins at zero";
}

TEST_F(HeavyHitterDetectorTest, WithoutAThresholdNobodyIs) {
  watch_.SetThreshold(0);
  for (int i = 0; i < 1000; ++i) watch_.Note(kHeavyHitter);
  EXPECT_TRUE(watch_.Take().empty());
}

}  // namespace qure
