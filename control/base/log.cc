#include "control/base/log.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "control/base/text.h"

namespace qure {
namespace {

constexpr std::string_view kDroppedNote = " log lines were dropped: standard error was not read in time";
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

// There is no place to report a failure. A standard error that another process has made non-blocking is waited for.
bool WriteAll(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd ready{STDERR_FILENO, POLLOUT, 0};
      poll(&ready, 1, /*timeout=*/-1);
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

std::string LinesOf(LogLevel level, std::string_view text) {
  const std::string prefix = Prefix(level);
  std::string output;
  while (true) {
    const std::string_view line = text.substr(0, text.find('\n'));
    output += prefix;
    for (const char c : line) output.push_back(absl::ascii_iscntrl(static_cast<unsigned char>(c)) ? '?' : c);
    output.push_back('\n');
    if (line.size() == text.size()) return output;
    text.remove_prefix(line.size() + 1);
  }
}

std::atomic<uint64_t> dropped_lines = 0;  // written and read by all

void CountDropped(std::string_view lines) {
  dropped_lines.fetch_add(static_cast<uint64_t>(std::ranges::count(lines, '\n')), std::memory_order_relaxed);
}

}  // namespace

// What waits for the thread of a LogWriter.
struct LogQueue {
  explicit LogQueue(size_t bytes) : room(bytes) {}

  const size_t room;
  std::mutex mutex;
  std::condition_variable changed;
  // Guarded by mutex.
  std::string waiting;                    // whole lines
  uint64_t reported = LogLinesDropped();  // as the log says
  bool writing = false;                   // the thread has lines that are not written yet
  bool closed = false;
};

namespace {

std::mutex writer_mutex;
std::shared_ptr<LogQueue> writer_queue;  // of the LogWriter that there is; guarded by writer_mutex

std::shared_ptr<LogQueue> WriterQueue() {
  const std::lock_guard lock(writer_mutex);
  return writer_queue;
}

// False: there is no writer.
bool LeaveToWriter(std::string_view lines) {
  const std::shared_ptr<LogQueue> queue = WriterQueue();
  if (queue == nullptr) return false;
  const std::lock_guard lock(queue->mutex);
  if (queue->waiting.size() + lines.size() > queue->room) {
    CountDropped(lines);
  } else {
    queue->waiting += lines;
  }
  queue->changed.notify_all();
  return true;
}

bool AwaitWritten(LogQueue* queue, Duration at_most) {
  std::unique_lock lock(queue->mutex);
  return queue->changed.wait_for(lock, std::chrono::nanoseconds(at_most.ns),
                                 [queue] { return queue->waiting.empty() && !queue->writing; });
}

// What was dropped was dropped after all that waits.
std::string TakeLines(LogQueue* queue) {
  std::string lines = std::exchange(queue->waiting, {});
  const uint64_t dropped = LogLinesDropped();
  if (dropped != queue->reported) {
    lines += LinesOf(LogLevel::kWarning, Concat(dropped - queue->reported, kDroppedNote));
    queue->reported = dropped;
  }
  return lines;
}

void WriteLines(LogQueue* queue) {
  std::unique_lock lock(queue->mutex);
  while (true) {
    queue->changed.wait(lock, [queue] { return !queue->waiting.empty() || queue->closed; });
    if (queue->waiting.empty()) return;
    const std::string lines = TakeLines(queue);
    queue->writing = true;
    lock.unlock();
    if (!WriteAll(lines)) CountDropped(lines);
    lock.lock();
    queue->writing = false;
    queue->changed.notify_all();
  }
}

}  // namespace

void SetLogLevel(LogLevel level) {
  threshold.store(level, std::memory_order_relaxed);
}

void LogLine(LogLevel level, std::string_view text) {
  if (level < threshold.load(std::memory_order_relaxed)) return;
  const std::string lines = LinesOf(level, text);
  // One write, so that lines of several threads never mix.
  if (!LeaveToWriter(lines) && !WriteAll(lines)) CountDropped(lines);
}

uint64_t LogLinesDropped() {
  return dropped_lines.load(std::memory_order_relaxed);
}

LogWriter::LogWriter(size_t room)
    : queue_(std::make_shared<LogQueue>(room)), thread_([queue = queue_] { WriteLines(queue.get()); }) {
  const std::lock_guard lock(writer_mutex);
  writer_queue = queue_;
}

bool FlushLog(Duration at_most) {
  const std::shared_ptr<LogQueue> queue = WriterQueue();
  return queue == nullptr || AwaitWritten(queue.get(), at_most);
}

LogWriter::~LogWriter() {
  const bool done = AwaitWritten(queue_.get(), kLastLogLines);
  {
    const std::lock_guard lock(writer_mutex);
    writer_queue.reset();
  }
  {
    const std::lock_guard lock(queue_->mutex);
    queue_->closed = true;
    queue_->changed.notify_all();
  }
  // A thread that stands in its write ends with the process.
  done ? thread_.join() : thread_.detach();
}

FILE* LogStream(LogLevel level) {
  constexpr cookie_io_functions_t kFunctions = {.read = nullptr,
                                                .write = [](void* cookie, const char* text, size_t size) -> ssize_t {
                                                  std::string_view lines(text, size);
                                                  if (lines.ends_with('\n')) lines.remove_suffix(1);
                                                  if (!lines.empty())
                                                    LogLine(static_cast<LogLevel>(reinterpret_cast<uintptr_t>(cookie)),
                                                            lines);
                                                  return static_cast<ssize_t>(size);
                                                },
                                                .seek = nullptr,
                                                .close = nullptr};
  FILE* const stream = fopencookie(reinterpret_cast<void*>(static_cast<uintptr_t>(level)), "w", kFunctions);
  if (stream != nullptr) setvbuf(stream, nullptr, _IOLBF, BUFSIZ);
  return stream;
}

}  // namespace qure
