#include "control/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_split.h"
#include "control/base/fd.h"

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

// Standard error as a pipe, for as long as it exists.
class Pipe {
 public:
  Pipe() : saved_(dup(STDERR_FILENO)) {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe(ends.data()), 0);
    read_ = Fd(ends[0]);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
  }
  ~Pipe() { Restore(); }
  // Nobody reads any more, and a writer is woken.
  void Close() { read_ = Fd(); }
  // Somebody begins to read.
  void Read() {
    text_ = std::async(std::launch::async, [this] {
      std::string text;
      std::array<char, 65536> piece;
      for (ssize_t n = 0; (n = read(read_.get(), piece.data(), piece.size())) > 0;) {
        text.append(piece.data(), static_cast<size_t>(n));
      }
      return text;
    });
  }
  // All that was written, to the end.
  std::string Text() {
    if (!text_.valid()) Read();
    Restore();
    return text_.get();
  }

 private:
  void Restore() {
    if (saved_.valid()) dup2(saved_.get(), STDERR_FILENO);
    saved_ = Fd();
  }

  Fd saved_;
  Fd read_;
  std::future<std::string> text_;
};

constexpr size_t kPipeBytes = 65'536;  // that a pipe holds by default
const std::string kLongText(1000, 'x');

// Whether `job` ends within some seconds. If it stands in a write, it ends when the pipe is closed.
bool Ends(Pipe* pipe, const std::function<void()>& job) {
  std::future<void> done = std::async(std::launch::async, job);
  const bool ended = done.wait_for(std::chrono::seconds(20)) == std::future_status::ready;
  if (!ended) pipe->Close();
  return ended;
}

class FieldD11 : public LogTest {
 protected:
  FieldD11() { std::signal(SIGPIPE, SIG_IGN); }
};

TEST_F(FieldD11, LoggingDoesNotWaitForWhoReadsStandardError) {
  constexpr size_t kRoom = 32'768;
  constexpr int kLines = 200;  // more than pipe and room together hold
  static_assert(kLines * 1000 > kPipeBytes + 2 * kRoom);
  const uint64_t before = LogLinesDropped();
  Pipe pipe;
  std::optional<LogWriter> writer(kRoom);
  ASSERT_TRUE(Ends(&pipe, [] {
    for (int i = 0; i < kLines; ++i) LogLine(LogLevel::kInfo, kLongText);
  }));
  const uint64_t dropped = LogLinesDropped() - before;
  EXPECT_GT(dropped, 0u);
  // Now somebody reads: what was kept arrives, and lines say how much was not.
  pipe.Read();
  writer.reset();
  const std::string all = pipe.Text();
  uint64_t kept = 0;
  uint64_t reported = 0;
  for (const absl::string_view line : absl::StrSplit(all, '\n', absl::SkipEmpty())) {
    unsigned long long count = 0;
    const size_t note = line.find("warning ");
    if (note == line.npos) {
      ++kept;
    } else if (std::sscanf(line.data() + note, "warning %llu log lines were dropped", &count) == 1) {
      reported += count;
    }
  }
  EXPECT_EQ(reported, dropped);
  EXPECT_EQ(kept + dropped, static_cast<uint64_t>(kLines));
}

TEST_F(FieldD11, AWriterThatNobodyReadsEndsInTime) {
  constexpr uint64_t kLines = 200;
  const uint64_t before = LogLinesDropped();
  Pipe pipe;
  EXPECT_TRUE(Ends(&pipe, [] {
    const LogWriter writer;
    for (uint64_t i = 0; i < kLines; ++i) LogLine(LogLevel::kInfo, kLongText);
    EXPECT_FALSE(FlushLog(Milliseconds(1)));
  }));
  // Its thread stands in its write until nobody can read any more. What it had is lost, and counted; what the pipe had
  // taken before is written.
  constexpr uint64_t kLost = kLines - kPipeBytes / 1000;
  pipe.Close();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (LogLinesDropped() < before + kLost && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_GE(LogLinesDropped(), before + kLost);
}

TEST_F(FieldD11, WhatALibraryWritesToAStreamIsLogged) {
  Pipe pipe;
  {
    const LogWriter writer;
    FILE* const stream = LogStream(LogLevel::kWarning);
    ASSERT_NE(stream, nullptr);
    std::fprintf(stream, "EAL: %s\nnext\n", "odd");
    std::fclose(stream);
  }
  EXPECT_THAT(pipe.Text(), MatchesRegex(std::string(kTime) + "warning EAL: odd\n" + kTime + "warning next\n"));
}

TEST_F(FieldD11, LinesOfAllThreadsAreWrittenWhole) {
  constexpr int kThreads = 4;
  constexpr int kEach = 50;
  Pipe pipe;
  {
    const LogWriter writer;
    std::vector<std::future<void>> threads;
    threads.reserve(kThreads);
    for (int i = 0; i < kThreads; ++i) {
      threads.push_back(std::async(std::launch::async, [] {
        for (int line = 0; line < kEach; ++line) LogLine(LogLevel::kInfo, "line ", line, " of one thread");
      }));
    }
  }
  const std::string all = pipe.Text();
  EXPECT_EQ(std::ranges::count(all, '\n'), kThreads * kEach);
  for (const absl::string_view line : absl::StrSplit(all, '\n', absl::SkipEmpty())) {
    EXPECT_THAT(std::string(line), MatchesRegex(std::string(kTime) + "info    line [0-9]+ of one thread"));
  }
}

}  // namespace
}  // namespace qure
