// One line per event on standard error: time (UTC), level, text; the priority prefix `<6>` instead of time and level
// where standard error is systemd's journal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string_view>
#include <thread>

#include "control/base/text.h"
#include "proto/log_level.h"
#include "proto/time.h"

namespace qure {

void SetLogLevel(LogLevel level);
// Thread-safe. Never called per packet. A text of several lines becomes several log lines; control characters are
// masked. While there is a LogWriter, the caller never waits for who reads standard error; without one it may.
void LogLine(LogLevel level, std::string_view text);
// The text is Concat of the parts.
template <typename... Parts>
requires(sizeof...(Parts) > 1) void LogLine(LogLevel level, const Parts&... parts) {
  LogLine(level, std::string_view(Concat(parts...)));
}

// Log lines that were lost since the start: nobody read standard error in time, or it could not be written.
uint64_t LogLinesDropped();

// Waits until the lines of all callers so far are written, or for `at_most`. False: some are not.
bool FlushLog(Duration at_most);

// Text that waits for standard error at most. What comes beyond is dropped and counted, and a line says so later.
inline constexpr size_t kLogRoom = size_t{1024} * 1024;  // bytes
inline constexpr Duration kLastLogLines = Seconds(1);    // for the last ones to be written

// Takes the lines of all threads while it exists, and writes them in a thread of its own: a pipe that nobody reads, or
// a terminal that is held, stops that thread and no other. One at a time.
struct LogQueue;
class LogWriter {
 public:
  explicit LogWriter(size_t room = kLogRoom);
  // Writes the lines that wait, for kLastLogLines at most.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

 private:
  std::shared_ptr<LogQueue> queue_;  // shared with the thread, which may outlive the writer
  std::thread thread_;
};

// A stream for a library that logs to one: each line that it writes becomes a LogLine. Never closed.
FILE* LogStream(LogLevel level);

}  // namespace qure
