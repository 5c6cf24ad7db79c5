// Kernel settings under /proc/sys.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace qure {

// "net/ipv4/conf/INTERFACE/KEY"; `family` is "ipv4" or "ipv6".
std::string InterfaceSysctl(std::string_view family, std::string_view interface, std::string_view key);

// The value without the final newline; nullopt if the kernel does not have the setting (IPv6 is off).
std::optional<std::string> ReadSysctl(std::string_view path);
// Does nothing if the setting already has the value, or the kernel does not have the setting.
absl::Status WriteSysctl(std::string_view path, std::string_view value);

}  // namespace qure
