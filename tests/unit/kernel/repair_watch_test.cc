#include "control/kernel/repair_watch.h"

#include <gtest/gtest.h>

namespace qure {
namespace {

MonoTime At(int64_t ms) {
  return MonoTime{1'000'000'000} + Milliseconds(ms);
}

TEST(FieldA3, OneRepairIsNoTrouble) {
  RepairWatch watch;
  watch.OnLook(At(-20), true);
  watch.OnLook(At(0), false);
  for (int ms = 20; ms < 3000; ms += 20) watch.OnLook(At(ms), true);
  EXPECT_FALSE(watch.hopeless());
  watch.OnLook(At(3000), false);
  EXPECT_FALSE(watch.hopeless());
}

TEST(FieldA3, WhatIsMissingForASecondIsHopeless) {
  RepairWatch watch;
  watch.OnLook(At(-20), true);
  for (int ms = 0; ms < 1000; ms += 20) {
    watch.OnLook(At(ms), false);
    EXPECT_FALSE(watch.hopeless()) << ms;
  }
  watch.OnLook(At(1000), false);
  EXPECT_TRUE(watch.hopeless());
}

// Another program takes it away each time that it is put back.
TEST(FieldA3, AStruggleIsHopeless) {
  RepairWatch watch;
  watch.OnLook(At(-20), true);
  for (int ms = 0; ms <= 1200; ms += 20) watch.OnLook(At(ms), ms % 200 != 0);
  EXPECT_TRUE(watch.hopeless());
}

// A kernel without IPv6 does not take an IPv6 address: that is no reason to end.
TEST(FieldA3, WhatWasNeverThereIsNotMissed) {
  RepairWatch watch;
  for (int ms = 0; ms < 5000; ms += 20) watch.OnLook(At(ms), false);
  EXPECT_FALSE(watch.troubled());
  watch.OnLook(At(5000), true);
  watch.Expect();
  for (int ms = 5020; ms < 9000; ms += 20) watch.OnLook(At(ms), false);
  EXPECT_FALSE(watch.hopeless());
}

}  // namespace
}  // namespace qure
