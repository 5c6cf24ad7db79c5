#include "control/base/log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <ctime>
#include <string>

#include "absl/strings/ascii.h"

#include "absl/strings/str_format.h"
#include "control/base/text.h"

namespace qure {
namespace {

std::atomic<LogLevel> threshold = LogLevel::kInfo;  // written by the control thread, read by all

struct LevelStyle {
  const char* word;
  int priority;  // of syslog (RFC 5424 §6.2.1)
};

LevelStyle StyleOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return {"debug", 7};
    case LogLevel::kInfo:
      return {"info", 6};
    case LogLevel::kWarning:
      return {"warning", 4};
    case LogLevel::kError:
      break;
  }
  return {"error", 3};
}

// systemd.exec(5): JOURNAL_STREAM is DEVICE:INODE of the stream that it connected; it may have been redirected since.
bool StandardErrorIsJournal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status = {};
  return stream != nullptr && fstat(STDERR_FILENO, &status) == 0 && Concat(status.st_dev, ":", status.st_ino) == stream;
}

// The journal adds the time, and reads the level from the priority.
std::string Prefix(LogLevel level) {
  const LevelStyle style = StyleOf(level);
  if (StandardErrorIsJournal()) return absl::StrFormat("<%d>", style.priority);
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  std::tm utc = {};
  gmtime_r(&now.tv_sec, &utc);
  char date[32];
  const size_t length = std::strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
  return Concat(std::string_view(date, length), absl::StrFormat(".%03dZ %-7s ", now.tv_nsec / 1'000'000, style.word));
}

}  // namespace

void SetLogLevel(LogLevel level) {
  threshold.store(level, std::memory_order_relaxed);
}

void LogLine(LogLevel level, std::string_view text) {
  if (level < threshold.load(std::memory_order_relaxed)) return;
  const std::string prefix = Prefix(level);
  std::string output;
  while (true) {
    const std::string_view line = text.substr(0, text.find('\n'));
    output += prefix;
    for (const char c : line) output.push_back(absl::ascii_iscntrl(static_cast<unsigned char>(c)) ? '?' : c);
    output.push_back('\n');
    if (line.size() == text.size()) break;
    text.remove_prefix(line.size() + 1);
  }
  // One write, so that lines of several threads never mix. There is no place to report a failure.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, output.data(), output.size());
}

}  // namespace qure
