#include "control/qured/restore_watch.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "control/base/fd.h"

namespace qure {
namespace {

constexpr off_t kGenerationOffset = 40;  // of the id in its page (QEMU, docs/specs/vmgenid)

}  // namespace

RestoreWatch::RestoreWatch(std::string generation_path) : path_(std::move(generation_path)), generation_(Read()) {}

std::optional<RestoreWatch::Generation> RestoreWatch::Read() const {
  const Fd file(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return std::nullopt;
  Generation generation;
  const ssize_t got = pread(file.get(), generation.data(), generation.size(), kGenerationOffset);
  return got == static_cast<ssize_t>(generation.size()) ? std::optional(generation) : std::nullopt;
}

bool RestoreWatch::Look() {
  if (!generation_) return false;
  const std::optional<Generation> now = Read();
  return now && *now != *std::exchange(generation_, now);
}

}  // namespace qure
