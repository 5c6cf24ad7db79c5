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
  Generation generation;
  if (!file.valid()) return std::nullopt;
  const ssize_t got = pread(file.get(), generation.data(), generation.size(), kGenerationOffset);
  return got == static_cast<ssize_t>(generation.size()) ? std::optional(generation) : std::nullopt;
}

std::optional<std::string> RestoreWatch::Look(MonoTime now, uint64_t wall_ms) {
  const int64_t ahead = static_cast<int64_t>(wall_ms) * Milliseconds(1).ns - now.ns;
  const std::optional<int64_t> before = std::exchange(ahead_ns_, ahead);
  if (generation_) {
    const std::optional<Generation> generation = Read();
    if (generation && *generation != *std::exchange(generation_, generation)) return "the VM generation id has changed";
  }
  if (before && ahead - *before >= kJump.ns) return "the wall clock has jumped ahead";
  return std::nullopt;
}

}  // namespace qure
