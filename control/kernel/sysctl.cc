#include "control/kernel/sysctl.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/ascii.h"

#include "control/base/fd.h"
#include "control/base/text.h"

namespace qure {
namespace {

std::string FileOf(std::string_view path) {
  return Concat("/proc/sys/", path);
}

}  // namespace

std::string InterfaceSysctl(std::string_view family, std::string_view interface, std::string_view key) {
  return Concat("net/", family, "/conf/", interface, "/", key);
}

std::optional<std::string> ReadSysctl(std::string_view path) {
  const Fd file(open(FileOf(path).c_str(), O_RDONLY | O_CLOEXEC));
  char text[256];
  const ssize_t length = file.valid() ? read(file.get(), text, sizeof(text)) : -1;
  if (length < 0) return std::nullopt;
  return std::string(absl::StripAsciiWhitespace({text, static_cast<size_t>(length)}));
}

absl::Status WriteSysctl(std::string_view path, std::string_view value) {
  const std::optional<std::string> current = ReadSysctl(path);
  if (!current || *current == value) return absl::OkStatus();
  const Fd file(open(FileOf(path).c_str(), O_WRONLY | O_CLOEXEC));
  if (file.valid() && write(file.get(), value.data(), value.size()) == static_cast<ssize_t>(value.size()))
    return absl::OkStatus();
  return absl::ErrnoToStatus(
      errno, Concat(FileOf(path), " cannot be set to ", value, "; run as root with a writable /proc/sys"));
}

}  // namespace qure
