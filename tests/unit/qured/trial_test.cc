#include "control/qured/trial.h"

#include <gtest/gtest.h>

namespace qure {
namespace {

TEST(FieldD1Trial, TimesOfATrial) {
  EXPECT_EQ(ParseTrial("60s"), Seconds(60));
  EXPECT_EQ(ParseTrial("5m"), Seconds(300));
  EXPECT_EQ(ParseTrial("86400s"), Seconds(86400));
  for (const char* text : {"", "s", "60", "0s", "-1s", "1h", "86401s", "1441m", "60 s", "4294967297s"}) {
    EXPECT_FALSE(ParseTrial(text)) << text;
  }
}

}  // namespace
}  // namespace qure
