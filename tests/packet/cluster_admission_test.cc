// What the allowances of the cluster's port let through, over time.
#include <gtest/gtest.h>

#include <cstring>

#include "dataplane/pipeline/cluster_admission.h"
#include "proto/cluster/envelope.h"
#include "tests/packet/cases.h"

namespace qure::testing {

namespace {

BootId Boot(uint32_t number) {
  BootId boot{};
  std::memcpy(boot.data(), &number, sizeof(number));
  return boot;
}

// 200,000 datagrams in a second, each under another name.
TEST(FieldE2Admission, JunkGetsNoMoreThanItsShare) {
  ClusterAdmission admission;
  uint32_t let_through = 0;
  for (uint32_t i = 0; i < 200'000; ++i) {
    admission.Begin(MonoTime{} + Seconds(100) + Microseconds(5) * i);
    let_through += admission.TakeStranger(Boot(i)) ? 1 : 0;
  }
  EXPECT_GE(let_through, ClusterAdmission::kStrangersRate);
  EXPECT_LE(let_through, ClusterAdmission::kStrangersRate + ClusterAdmission::kStrangersBurst);
  for (int i = 0; i < ClusterAdmission::kKnownBurst; ++i) EXPECT_TRUE(admission.TakeKnown(Boot(7)));
  EXPECT_FALSE(admission.TakeKnown(Boot(7)));
  EXPECT_TRUE(admission.TakeKnown(Boot(8)));
}

// Recordings of 64 boots, four in a millisecond, do not use up what a boot that starts needs.
TEST(FieldE12Admission, RecordingsLeaveRoomForANewBoot) {
  ClusterAdmission admission;
  int refused = 0;
  for (uint32_t i = 0; i < 40'000; ++i) {
    admission.Begin(MonoTime{} + Seconds(100) + Microseconds(250) * i);
    admission.TakeStranger(Boot(1 + i % 64));
    if (i % 400 != 0) continue;  // each 100 ms, both ways
    refused += admission.TakeStranger(Boot(999)) ? 0 : 1;
    refused += admission.TakeStranger(Boot(999)) ? 0 : 1;
  }
  EXPECT_EQ(refused, 0);
}

}  // namespace

}  // namespace qure::testing
