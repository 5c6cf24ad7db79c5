#include "control/qured/start_again.h"

#include <linux/close_range.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace qure {
namespace {

constexpr char kPath[] = "/proc/self/exe";
constexpr size_t kPage = 4096;
// Below where the kernel puts programs and libraries, above what it forbids to map.
constexpr uintptr_t kAddress = 0x5152'0000;

const char* MapPath() {
  void* const wanted = reinterpret_cast<void*>(kAddress);  // NOLINT: the filter knows the address as a number
  void* const page =
      mmap(wanted, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (page != wanted) {  // a kernel before 4.17 may put it elsewhere
    if (page != MAP_FAILED) munmap(page, kPage);
    return nullptr;
  }
  std::memcpy(page, kPath, sizeof(kPath));
  mprotect(page, kPage, PROT_READ);
  return static_cast<const char*>(page);
}

}  // namespace

const char* PathOfItself() {
  static const char* const path = MapPath();
  return path;
}

void ExecuteItself(char** argv) {
  const char* const path = PathOfItself();
  if (path == nullptr) {
    errno = ENOMEM;
    return;
  }
  // DPDK leaves files open, and their locks would keep the new program from starting.
  close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  execv(path, argv);
}

}  // namespace qure
