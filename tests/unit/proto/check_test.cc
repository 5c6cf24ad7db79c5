#include "proto/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "proto/time.h"

namespace qure::test {
namespace {

using ::testing::HasSubstr;

enum class Colour : uint8_t { kRed = 3 };

TEST(Check, LetsPassWhatHolds) {
  int evaluated = 0;
  QURE_CHECK(++evaluated == 1, evaluated);
  EXPECT_EQ(evaluated, 1);
}

TEST(CheckDeathTest, EndsTheProcessWithPlaceConditionAndValues) {
  const int term = 7;
  EXPECT_DEATH(QURE_CHECK(term > 8, term, Colour::kRed, Milliseconds(1), "text", term == 7),
               "check_test.cc:[0-9]+: check failed: term > 8 .term, Colour::kRed, Milliseconds.1., \"text\", "
               "term == 7 = 7, 3, 1000000 ns, text, true.");
  EXPECT_DEATH(QURE_CHECK(term > 8), "check failed: term > 8");
}

TEST(Check, AHandlerMayThrow) {
  SetCheckHandler([](const CheckFailure& failure) { throw std::runtime_error(ToString(failure)); });
  try {
    QURE_CHECK(1 + 1 == 3);
    ADD_FAILURE() << "passed";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("1 + 1 == 3"));
  }
  SetCheckHandler(nullptr);
}

}  // namespace
}  // namespace qure::test
