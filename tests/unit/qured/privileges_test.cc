#include "control/qured/privileges.h"

#include <gtest/gtest.h>
#include <linux/capability.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

namespace qure {
namespace {

constexpr uint64_t Bit(int capability) {
  return uint64_t{1} << capability;
}

// A line of this thread's status in /proc; empty: there is none.
std::string StatusOfThisThread(const std::string& wanted) {
  std::ifstream status("/proc/thread-self/status");
  for (std::string key, value; status >> key;) {
    if (key == wanted && status >> value) return value;
  }
  return "";
}

uint64_t Permitted() {
  return std::strtoull(StatusOfThisThread("CapPrm:").c_str(), nullptr, 16);
}

// The exit status of a process with two threads that drops all but `needed`: 0 if both have.
[[noreturn]] void DropInTwoThreads(uint64_t needed) {
  std::atomic<bool> dropped = false;
  std::atomic<int> wrong = 0;
  const auto check = [&] {
    if ((Permitted() & ~needed) != 0) wrong |= 1;
    if (StatusOfThisThread("NoNewPrivs:") != "1") wrong |= 2;
  };
  std::thread other([&] {
    dropped.wait(false);
    check();
  });
  if (!DropPrivileges(needed).ok()) wrong |= 4;
  dropped = true;
  dropped.notify_all();
  other.join();
  check();
  _exit(wrong);
}

TEST(FieldE13, AllThreadsGiveUpWhatIsNotNeeded) {
  EXPECT_EXIT(DropInTwoThreads(Bit(CAP_NET_ADMIN)), testing::ExitedWithCode(0), "");
}

TEST(FieldE13, ARunningNodeNeedsTheNetworkAndLittleElse) {
  for (const PortKind lan : {PortKind::kAfPacket, PortKind::kTap, PortKind::kVdev, PortKind::kAfXdp, PortKind::kPci}) {
    const uint64_t needed = NeededCapabilities(lan);
    EXPECT_NE(needed & Bit(CAP_NET_ADMIN), 0u);
    EXPECT_NE(needed & Bit(CAP_SYS_NICE), 0u);
    for (const int never : {CAP_SYS_MODULE, CAP_SYS_PTRACE, CAP_SETUID, CAP_SETFCAP, CAP_MKNOD, CAP_SYS_BOOT}) {
      EXPECT_EQ(needed & Bit(never), 0u) << never;
    }
  }
  EXPECT_EQ(NeededCapabilities(PortKind::kAfPacket) & Bit(CAP_SYS_ADMIN), 0u);
}

}  // namespace
}  // namespace qure
