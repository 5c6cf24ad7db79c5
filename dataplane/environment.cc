#include "dataplane/environment.h"

#include <fcntl.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace qure {
namespace {

std::vector<unsigned> AllowedCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<unsigned> cpus;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return {0};
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

sigset_t RealTimeSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) sigaddset(&set, signal);
  return set;
}

// Free huge pages of all sizes, in MiB.
uint64_t FreeHugeMemoryMib() {
  uint64_t mib = 0;
  std::error_code error;
  for (const auto& size : std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", error)) {
    const std::string name = size.path().filename().string();  // "hugepages-2048kB"
    uint64_t kib = 0;
    uint64_t pages = 0;
    if (std::sscanf(name.c_str(), "hugepages-%" SCNu64 "kB", &kib) != 1 ||
        !(std::ifstream(size.path() / "free_hugepages") >> pages))
      continue;
    mib += pages * kib / 1024;
  }
  return mib;
}

// Where EAL keeps the files of a process.
std::filesystem::path RuntimeDirectory(const std::string& file_prefix) {
  const char* const given = std::getenv("RUNTIME_DIRECTORY");  // by systemd
  return std::filesystem::path(given != nullptr ? given : "/var/run") / "dpdk" / file_prefix;
}

// Whether a process holds one of EAL's files.
bool IsLocked(const std::filesystem::path& directory) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (!entry.is_regular_file(error)) continue;
    const int file = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;
    const bool locked = flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(file);
    if (locked) return true;
  }
  return false;
}

}  // namespace

bool AwaitPredecessor(const std::function<bool()>& gone) {
  const MonoTime deadline = Now() + Seconds(3);
  while (!gone()) {
    if (Now() > deadline) return false;
    usleep(10'000);
  }
  return true;
}

absl::StatusOr<std::vector<std::string>> EnvironmentArguments(const DataplaneOptions& options,
                                                              const std::vector<unsigned>& cpus) {
  if (options.workers == 0 || options.workers > kMaxWorkers) {
    return absl::InvalidArgumentError(absl::StrCat("workers = ", options.workers, " must be in 1 to ", kMaxWorkers));
  }
  if (!options.cores.empty() && options.cores.size() != options.workers) {
    return absl::InvalidArgumentError(absl::StrCat("cores has ", options.cores.size(), " entries for ", options.workers,
                                                   " workers; give one for each, or none"));
  }
  for (const unsigned core : options.cores) {
    if (std::find(cpus.begin(), cpus.end(), core) == cpus.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("cores: CPU ", core, " is not among those of this process (", absl::StrJoin(cpus, ", "), ")"));
    }
  }
  const std::string anywhere = absl::StrCat("(", absl::StrJoin(cpus, ","), ")");
  std::string lcores = absl::StrCat("0@", anywhere);
  for (unsigned i = 0; i < options.workers; ++i) {
    absl::StrAppend(&lcores, ",", i + 1, "@", options.cores.empty() ? anywhere : absl::StrCat(options.cores[i]));
  }
  std::vector<std::string> arguments = {"qured", absl::StrCat("--file-prefix=", options.file_prefix),
                                        absl::StrCat("--lcores=", lcores), "--main-lcore=0", "--log-level=error",
                                        // It complains of traffic control that this appliance does not use.
                                        "--log-level=pmd.net.tap:critical", "-m", absl::StrCat(options.memory_mib)};
  // Memory of a process that was killed must not stay behind in hugetlbfs.
  arguments.emplace_back(options.huge_pages ? "--huge-unlink=always" : "--no-huge");
  if (options.lan.kind == PortKind::kPci) {
    arguments.insert(arguments.end(), {"-a", options.lan.argument});
  } else {
    arguments.emplace_back("--no-pci");
  }
  return arguments;
}

absl::Status StartEnvironment(const DataplaneOptions& options) {
  absl::StatusOr<std::vector<std::string>> arguments = EnvironmentArguments(options, AllowedCpus());
  if (!arguments.ok()) return arguments.status();
  const std::filesystem::path directory = RuntimeDirectory(options.file_prefix);
  if (!AwaitPredecessor([&directory] { return !IsLocked(directory); })) {
    return absl::AlreadyExistsError(absl::StrCat("file_prefix = \"", options.file_prefix,
                                                 "\" is used by another running process; give each its own"));
  }
  uint64_t free_mib = 0;
  if (options.huge_pages && !AwaitPredecessor([&] { return (free_mib = FreeHugeMemoryMib()) >= options.memory_mib; })) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "huge_pages = true and memory_mib = ", options.memory_mib, ", but ", free_mib,
        " MiB of huge pages are free: raise them, as with `sysctl vm.nr_hugepages=", (options.memory_mib + 1) / 2 + 16,
        "` (2 MiB each), or set huge_pages = false"));
  }
  const sigset_t signals = RealTimeSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // What the kernel sends instead when its queue of real-time signals is full; by default it would end the process.
  signal(SIGIO, SIG_IGN);

  rte_openlog_stream(options.log);
  std::vector<char*> argv;
  for (std::string& argument : *arguments) argv.push_back(argument.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) {
    return absl::InternalError(absl::StrCat("DPDK does not start with ", absl::StrJoin(*arguments, " "), ": ",
                                            rte_strerror(rte_errno), "; its own messages are in the log"));
  }
  return absl::OkStatus();
}

void AcceptTapSignal() {
  const sigset_t signals = RealTimeSignals();
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

}  // namespace qure
