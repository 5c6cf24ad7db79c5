#include "control/qured/syscall_filter.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <functional>
#include <string>
#include <thread>

#include "control/qured/start_again.h"
#include "proto/check.h"

namespace qure {
namespace {

class FieldE13SystemCalls : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!kSystemCallsAreFiltered) GTEST_SKIP() << "the sanitizers of this build need more";
  }
};

// What becomes of a process that is filtered and then does this; its exit status is 0 if that returns true.
[[noreturn]] void Filtered(const std::function<bool()>& act, PortKind lan = PortKind::kAfPacket) {
  if (!FilterSystemCalls(lan).ok()) _exit(2);
  _exit(act() ? 0 : 1);
}

void ExpectAllowed(const std::function<bool()>& act) {
  EXPECT_EXIT(Filtered(act), testing::ExitedWithCode(0), "");
}

// The error of a system call; 0: none.
int ErrorOf(long result) {
  return result < 0 ? errno : 0;
}

TEST_F(FieldE13SystemCalls, WhatANodeDoesIsAllowed) {
  ExpectAllowed([] {
    const int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    char byte = 0;
    return file >= 0 && read(file, &byte, 1) == 1 && close(file) == 0;
  });
  for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK}) {
    ExpectAllowed([family] { return socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0) >= 0; });
  }
  ExpectAllowed([] {
    bool ran = false;
    std::thread([&ran] { ran = prctl(PR_SET_NAME, "thread") == 0; }).join();
    return ran;
  });
}

TEST_F(FieldE13SystemCalls, WhatItDoesNotDoIsRefused) {
  const auto refused = [](const std::function<long()>& call) {
    ExpectAllowed([&call] { return ErrorOf(call()) == EPERM; });
  };
  refused([] { return fork(); });
  refused([] { return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); });
  refused([] { return syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_NEWUSER, 0, 0, 0, 0); });
  ExpectAllowed(
      [] { return ErrorOf(syscall(SYS_clone3, nullptr, 0)) == ENOSYS; });  // the C library asks for clone then
  refused([] { return kill(getppid(), 0); });
  refused([] { return syscall(SYS_tgkill, 1, 1, 0); });
  refused([] { return socket(AF_VSOCK, SOCK_STREAM, 0); });
  refused([] { return socket(AF_ALG, SOCK_SEQPACKET, 0); });
  refused([] { return setuid(0); });
  refused([] { return prctl(PR_SET_DUMPABLE, 1); });
  refused([] { return syscall(SYS_prlimit64, getppid(), RLIMIT_NOFILE, nullptr, nullptr); });
  refused([] {
    void* const page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(page, 4096, PROT_READ | PROT_EXEC);
  });
  refused([] {
    return mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? -1
               : 0;
  });
}

TEST_F(FieldE13SystemCalls, WhatOnlyForeignCodeDoesEndsTheProcess) {
  constexpr long kDeadly[] = {
      SYS_execve,      SYS_execveat,       SYS_ptrace,       SYS_process_vm_writev, SYS_mount,          SYS_umount2,
      SYS_move_mount,  SYS_pivot_root,     SYS_chroot,       SYS_unshare,           SYS_setns,          SYS_bpf,
      SYS_init_module, SYS_kexec_load,     SYS_finit_module, SYS_kexec_file_load,   SYS_keyctl,         SYS_add_key,
      SYS_request_key, SYS_io_uring_setup, SYS_personality,  SYS_delete_module,     SYS_perf_event_open};
  for (const long call : kDeadly) {
    SCOPED_TRACE(call);
    EXPECT_EXIT(Filtered([call] { return syscall(call, 0, 0, 0, 0, 0, 0) == 0; }), testing::KilledBySignal(SIGSYS), "");
  }
  for (const unsigned long high : {0UL, 1UL << 32}) {
    EXPECT_EXIT(Filtered([high] { return syscall(SYS_ioctl, STDIN_FILENO, high | TIOCSTI, "x") == 0; }),
                testing::KilledBySignal(SIGSYS), "");
  }
}

// A node that was cloned or restored from a snapshot goes on by itself as another one (A10, E10).
TEST_F(FieldE13SystemCalls, ItMayStartItselfAgain) {
  const auto start_again = [] {
    std::string name = "itself";
    std::string list = "--gtest_list_tests";
    char* arguments[] = {name.data(), list.data(), nullptr};
    ExecuteItself(arguments);
    return false;
  };
  EXPECT_EXIT(Filtered(start_again), testing::ExitedWithCode(0), "");
}

TEST_F(FieldE13SystemCalls, APortOfAfXdpTakesItsProgramAwayAndLoadsNone) {
  const auto error_of = [](bpf_cmd command) {
    bpf_attr attributes = {};
    return ErrorOf(syscall(SYS_bpf, command, &attributes, sizeof(attributes)));
  };
  const auto works = [&] { return geteuid() != 0 || error_of(BPF_LINK_DETACH) != EPERM; };
  EXPECT_EXIT(Filtered(works, PortKind::kAfXdp), testing::ExitedWithCode(0), "");
  const auto loads_none = [&] { return error_of(BPF_PROG_LOAD) == EPERM; };
  EXPECT_EXIT(Filtered(loads_none, PortKind::kAfXdp), testing::ExitedWithCode(0), "");
}

[[noreturn]] void FilterTwoThreads() {
  std::atomic<bool> filtered = false;
  std::atomic<int> error = 0;
  std::thread other([&] {
    filtered.wait(false);
    error = ErrorOf(socket(AF_VSOCK, SOCK_STREAM, 0));
  });
  if (!FilterSystemCalls(PortKind::kAfPacket).ok()) _exit(2);
  filtered = true;
  filtered.notify_all();
  other.join();
  _exit(error == EPERM ? 0 : 1);
}

TEST_F(FieldE13SystemCalls, ThreadsThatRanBeforeAreFilteredToo) {
  EXPECT_EXIT(FilterTwoThreads(), testing::ExitedWithCode(0), "");
}

TEST_F(FieldE13SystemCalls, AFailedCheckSaysWhatFailed) {
  EXPECT_EXIT(Filtered([] {
                QURE_CHECK(errno == -1, errno);
                return true;
              }),
              testing::KilledBySignal(SIGABRT), "check failed: errno == -1");
}

}  // namespace
}  // namespace qure
