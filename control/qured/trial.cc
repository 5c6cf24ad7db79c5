#include "control/qured/trial.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "control/base/fd.h"
#include "control/base/log.h"
#include "control/base/text.h"
#include "control/qured/machine.h"

namespace qure {
namespace {

constexpr uint32_t kLongest = 24 * 60 * 60;  // seconds
constexpr int kAttempts = 100;               // the kernel may still take the process apart
constexpr useconds_t kPause = 100'000;

[[noreturn]] void AwaitAndRestore(pid_t process, const Config& config) {
  setsid();  // what ends the session of the operator is what this is there for
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) std::signal(number, SIG_IGN);
  const Fd alive(static_cast<int>(syscall(SYS_pidfd_open, process, 0)));
  if (alive.valid()) {
    pollfd wait = {alive.get(), POLLIN, 0};
    while (poll(&wait, 1, -1) < 0 && errno == EINTR) {
    }
  }
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const absl::StatusOr<std::vector<std::string>> lines = RestoreMachine(config);
    if (lines.ok()) {
      for (const std::string& line : *lines) LogLine(LogLevel::kInfo, "after a trial that was killed: ", line);
      _exit(0);
    }
    usleep(kPause);
  }
  _exit(1);
}

}  // namespace

std::optional<Duration> ParseTrial(std::string_view text) {
  if (!text.ends_with('s') && !text.ends_with('m')) return std::nullopt;
  const uint32_t unit = text.ends_with('m') ? 60 : 1;
  text.remove_suffix(1);
  const std::optional<uint32_t> count = ParseUnsigned(text);
  if (!count || *count == 0 || *count > kLongest / unit) return std::nullopt;
  return Seconds(*count * unit);
}

absl::Status WatchTrial(const Config& config) {
  const pid_t process = getpid();
  const pid_t child = fork();
  if (child < 0) return absl::ErrnoToStatus(errno, "--try: cannot start the process that gives the machine back");
  if (child == 0) AwaitAndRestore(process, config);
  return absl::OkStatus();
}

}  // namespace qure
