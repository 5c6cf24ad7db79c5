#include "control/base/ownership.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <filesystem>

#include "absl/strings/str_cat.h"

namespace qure {
namespace {

bool Lock(const Fd& file, int operation) {
  int result = 0;
  do {
    result = flock(file.get(), operation);
  } while (result < 0 && errno == EINTR);
  return result == 0;
}

absl::StatusOr<Fd> Own(Fd file, const std::string& what) {
  if (file.valid() && Lock(file, LOCK_EX | LOCK_NB)) return file;
  if (errno == EWOULDBLOCK) return absl::FailedPreconditionError(what + " is in use by another qured");
  return absl::ErrnoToStatus(errno, "cannot lock " + what);
}

}  // namespace

absl::Status MakePrivateDirectory(const std::string& path) {
  std::error_code error;
  const bool created = std::filesystem::create_directories(path, error);
  if (!error && created) std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot create directory ", path));
  return absl::OkStatus();
}

absl::StatusOr<Fd> LockDirectory(const std::string& path) {
  if (absl::Status made = MakePrivateDirectory(path); !made.ok()) return made;
  Fd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.valid() && Lock(directory, LOCK_EX)) return directory;
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot lock directory ", path));
}

absl::StatusOr<Fd> OwnDirectory(const std::string& path) {
  if (absl::Status made = MakePrivateDirectory(path); !made.ok()) return made;
  const std::string lock = path + "/lock";
  Fd file(open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const int error = errno;
  // On a file system that has become read-only, the lock file of an earlier start is enough.
  if (!file.valid()) file = Fd(open(lock.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) {
    return absl::ErrnoToStatus(error, absl::StrCat("data directory ", path,
                                                   " cannot be written, and a first start needs that: make it "
                                                   "writable, or set node.data_directory to another one"));
  }
  return Own(std::move(file), absl::StrCat("data directory ", path));
}

absl::StatusOr<Fd> OwnNetworkNamespace() {
  return Own(Fd(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)), "this network namespace");
}

}  // namespace qure
