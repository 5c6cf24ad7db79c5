#include "control/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace qure {
namespace {

using testing::MatchesRegex;

class LogTest : public testing::Test {
 protected:
  void SetUp() override { unsetenv("JOURNAL_STREAM"); }
  void TearDown() override {
    SetLogLevel(LogLevel::kInfo);
    unsetenv("JOURNAL_STREAM");
  }

  static std::string Logged(LogLevel level, std::string_view text) {
    testing::internal::CaptureStderr();
    LogLine(level, text);
    return testing::internal::GetCapturedStderr();
  }
};

constexpr char kTime[] = "[0-9]+-[0-9]+-[0-9]+T[0-9]+:[0-9]+:[0-9]+\\.[0-9]+Z ";

TEST_F(LogTest, WritesTimeLevelAndText) {
  EXPECT_THAT(Logged(LogLevel::kInfo, "address claimed"),
              MatchesRegex(std::string(kTime) + "info    address claimed\n"));
  EXPECT_THAT(Logged(LogLevel::kError, "x"), MatchesRegex(std::string(kTime) + "error   x\n"));
}

TEST_F(LogTest, LeavesOutWhatIsBelowTheLevel) {
  EXPECT_EQ(Logged(LogLevel::kDebug, "detail"), "");
  SetLogLevel(LogLevel::kDebug);
  EXPECT_THAT(Logged(LogLevel::kDebug, "detail"), testing::HasSubstr("debug   detail"));
  SetLogLevel(LogLevel::kError);
  EXPECT_EQ(Logged(LogLevel::kWarning, "odd"), "");
}

TEST_F(LogTest, GivesEachLineOfATextItsPrefix) {
  EXPECT_THAT(Logged(LogLevel::kWarning, "one\ntwo"),
              MatchesRegex(std::string(kTime) + "warning one\n" + kTime + "warning two\n"));
}

TEST_F(LogTest, JoinsItsParts) {
  testing::internal::CaptureStderr();
  LogLine(LogLevel::kInfo, "address ", std::string("192.0.2.1"), " taken ", 2, " times");
  EXPECT_THAT(testing::internal::GetCapturedStderr(), testing::EndsWith("address 192.0.2.1 taken 2 times\n"));
}

TEST_F(LogTest, MasksControlCharacters) {
  EXPECT_THAT(Logged(LogLevel::kInfo, "a\x1b[2Jb\tc"), testing::EndsWith("a?[2Jb?c\n"));
}

TEST_F(LogTest, PrefixesThePriorityForTheJournal) {
  testing::internal::CaptureStderr();
  struct stat status = {};
  ASSERT_EQ(fstat(STDERR_FILENO, &status), 0);
  setenv("JOURNAL_STREAM", (std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino)).c_str(), 1);
  LogLine(LogLevel::kWarning, "odd");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "<4>odd\n");
}

TEST_F(LogTest, WritesTimeAndLevelWhereStandardErrorIsNotTheJournal) {
  setenv("JOURNAL_STREAM", "1:1", 1);
  EXPECT_THAT(Logged(LogLevel::kInfo, "x"), testing::EndsWith("Z info    x\n"));
}

}  // namespace
}  // namespace qure
