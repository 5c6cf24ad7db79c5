#include "control/qured/stall_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace qure {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr MonoTime kStart{Seconds(100).ns};

TEST(StallReport, FirstStallIsReportedAtOnce) {
  StallReport report;
  const auto line = report.OnStall(kStart, Milliseconds(312));
  ASSERT_TRUE(line);
  EXPECT_THAT(*line, HasSubstr("312 ms"));
  EXPECT_FALSE(report.Tick(kStart + Seconds(5)));
}

TEST(StallReport, MoreWithinASecondAreSummedUp) {
  StallReport report;
  ASSERT_TRUE(report.OnStall(kStart, Milliseconds(100)));
  EXPECT_FALSE(report.OnStall(kStart + Milliseconds(300), Milliseconds(150)));
  EXPECT_FALSE(report.OnStall(kStart + Milliseconds(600), Milliseconds(110)));
  EXPECT_FALSE(report.Tick(kStart + Milliseconds(999)));
  const auto line = report.Tick(kStart + Seconds(1));
  ASSERT_TRUE(line);
  EXPECT_THAT(*line, AllOf(HasSubstr("stalls: 2,"), HasSubstr("150 ms")));
  EXPECT_FALSE(report.Tick(kStart + Seconds(3)));
}

TEST(StallReport, NeverMoreThanALineASecond) {
  StallReport report;
  int lines = 0;
  for (int i = 0; i < 1000; ++i) {  // 10 s
    const MonoTime now = kStart + Milliseconds(10) * i;
    lines += report.Tick(now).has_value();
    lines += report.OnStall(now, Milliseconds(120)).has_value();
  }
  EXPECT_LE(lines, 10);
  EXPECT_GE(lines, 9);
}

TEST(StallReport, LaterStallIsReportedByItself) {
  StallReport report;
  ASSERT_TRUE(report.OnStall(kStart, Milliseconds(100)));
  const auto line = report.OnStall(kStart + Seconds(2), Milliseconds(200));
  ASSERT_TRUE(line);
  EXPECT_THAT(*line, HasSubstr("200 ms"));
}

}  // namespace
}  // namespace qure
