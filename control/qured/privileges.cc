#include "control/qured/privileges.h"

#include <dirent.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "control/base/text.h"

namespace qure {
namespace {

constexpr int kSignal = SIGURG;  // ignored where it has no handler, used by nobody else here, blocked in no thread
constexpr int kTries = 100;
constexpr timespec kPause{.tv_sec = 0, .tv_nsec = 10'000'000};

constexpr uint64_t Bit(int capability) {
  return uint64_t{1} << capability;
}

// Read by the signal handler of each thread.
std::atomic<uint64_t> wanted{0};

// Capabilities belong to a thread, and the C library does not set those of the others. Async-signal-safe.
void DropInThisThread() {
  const int saved = errno;
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, data) == 0) {
    const uint64_t kept = wanted.load();
    for (int half = 0; half < 2; ++half) {
      const auto mask = static_cast<uint32_t>(kept >> (32 * half));
      data[half].effective &= mask;
      data[half].permitted &= mask;
      data[half].inheritable &= mask;
    }
    syscall(SYS_capset, &header, data);
  }
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  errno = saved;
}

std::vector<pid_t> Threads() {
  std::vector<pid_t> threads;
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/task"), closedir);
  if (directory == nullptr) return threads;
  while (const dirent* entry = readdir(directory.get())) {
    if (const int id = std::atoi(entry->d_name); id > 0) threads.push_back(id);
  }
  return threads;
}

// Whether the thread has no capability beyond `needed`, or has ended.
bool HasDropped(pid_t thread, uint64_t needed) {
  std::ifstream status(Concat("/proc/self/task/", thread, "/status"));
  bool no_new = false;
  uint64_t permitted = 0;
  for (std::string key, value; status >> key;) {
    if (key == "CapPrm:" && status >> value) permitted = std::strtoull(value.c_str(), nullptr, 16);
    if (key == "NoNewPrivs:" && status >> value) no_new = value == "1";
  }
  return !status.is_open() || ((permitted & ~needed) == 0 && no_new);
}

}  // namespace

uint64_t NeededCapabilities(PortKind lan) {
  uint64_t needed = Bit(CAP_NET_ADMIN) | Bit(CAP_NET_RAW) | Bit(CAP_NET_BIND_SERVICE) | Bit(CAP_IPC_LOCK) |
                    Bit(CAP_SYS_NICE) | Bit(CAP_DAC_OVERRIDE);
  if (lan == PortKind::kAfXdp) needed |= Bit(CAP_SYS_ADMIN) | Bit(CAP_BPF);
  if (lan == PortKind::kPci) needed |= Bit(CAP_SYS_ADMIN) | Bit(CAP_SYS_RAWIO);
  return needed;
}

absl::Status DropPrivileges(uint64_t needed) {
  wanted = needed;
  struct sigaction action = {};
  struct sigaction before = {};
  action.sa_handler = [](int) { DropInThisThread(); };
  action.sa_flags = SA_RESTART;
  if (sigaction(kSignal, &action, &before) != 0) return absl::ErrnoToStatus(errno, "no signal to reach threads by");
  DropInThisThread();
  std::vector<pid_t> left = Threads();
  for (const pid_t thread : left) {
    if (thread != gettid()) syscall(SYS_tgkill, getpid(), thread, kSignal);
  }
  for (int i = 0; i < kTries && !left.empty(); ++i) {
    std::erase_if(left, [&](pid_t thread) { return HasDropped(thread, needed); });
    if (!left.empty()) nanosleep(&kPause, nullptr);
  }
  // A thread that blocks the signal takes it later, if ever: the handler must still be there then.
  if (!left.empty()) return absl::UnavailableError(Concat("thread ", left.front(), " keeps its privileges"));
  sigaction(kSignal, &before, nullptr);
  return absl::OkStatus();
}

}  // namespace qure
