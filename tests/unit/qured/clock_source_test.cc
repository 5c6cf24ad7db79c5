#include "control/qured/clock_source.h"

#include <gtest/gtest.h>

namespace qure {
namespace {

TEST(FieldA17ClockSource, TimerTicksAreNoClock) {
  for (const char* source : {"jiffies", "refined-jiffies"}) EXPECT_FALSE(IsFitClockSource(source)) << source;
  for (const char* source : {"tsc", "kvm-clock", "hpet", "acpi_pm", "arch_sys_counter", ""}) {
    EXPECT_TRUE(IsFitClockSource(source)) << source;
  }
}

TEST(FieldA17ClockSource, ThisMachineHasOne) {
  EXPECT_EQ(ClockSource().find('\n'), std::string::npos);
}

}  // namespace
}  // namespace qure
