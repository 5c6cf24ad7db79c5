// qure-hang: stops one thread of a process while the others run, like a thread that waits for ever. No signal can do
// that, because SIGSTOP stops all threads. ptrace(2) can, and the thread runs again when this program ends in any way.
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "absl/strings/numbers.h"

namespace {

constexpr char kUsage[] = R"(usage: qure-hang TID SECONDS

Stops the thread TID for SECONDS, or until SIGINT or SIGTERM. Prints "hanging" to standard output once it is stopped.
)";

int Fail(const char* what, int tid) {
  std::fprintf(stderr, "qure-hang: %s %d: %s\n", what, tid, std::strerror(errno));
  return 1;
}

int Hang(int tid, double seconds) {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  if (ptrace(PTRACE_SEIZE, tid, nullptr, nullptr) < 0) return Fail("cannot seize thread", tid);
  if (ptrace(PTRACE_INTERRUPT, tid, nullptr, nullptr) < 0) return Fail("cannot interrupt thread", tid);
  int state = 0;
  if (waitpid(tid, &state, __WALL) != tid || !WIFSTOPPED(state)) return Fail("did not stop: thread", tid);
  std::puts("hanging");
  std::fflush(stdout);
  const timespec span{
      .tv_sec = static_cast<time_t>(seconds),
      .tv_nsec = static_cast<long>((seconds - static_cast<double>(static_cast<time_t>(seconds))) * 1e9)};
  sigtimedwait(&ends, nullptr, &span);
  if (ptrace(PTRACE_DETACH, tid, nullptr, nullptr) < 0 && errno != ESRCH) return Fail("cannot detach from thread", tid);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  int tid = 0;
  double seconds = 0;
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (argc != 3 || !absl::SimpleAtoi(argv[1], &tid) || tid <= 0 || !absl::SimpleAtod(argv[2], &seconds) ||
      seconds <= 0 || seconds > 3600) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  return Hang(tid, seconds);
}
