// Settings of the kernel that have one value: sysctls, and what `ip link` and `ethtool` show of an interface. They are
// read and written alike, so that one journal can give all of them back.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace qure {

struct KernelSetting {
  enum class Kind : uint8_t {
    kSysctl,   // `name` is the path below /proc/sys
    kFlag,     // of an interface: up, noarp, promisc; "0" or "1"
    kOffload,  // of an interface, as `ethtool -k` names it: rx-gro, rx-lro, rx-gro-hw; "0" or "1"
    kQueues,   // of an interface: how many queues receive
  };
  Kind kind = Kind::kSysctl;
  std::string interface;  // "" of a sysctl
  std::string name;
  friend auto operator<=>(const KernelSetting&, const KernelSetting&) = default;
};

KernelSetting Sysctl(std::string path);
KernelSetting LinkFlag(std::string interface, std::string name);
KernelSetting Offload(std::string interface, std::string name);
KernelSetting ReceiveQueues(std::string interface);

// "sysctl net/ipv4/conf/all/arp_ignore", "flag noarp of eth0"
std::string ToString(const KernelSetting& setting);

// Nothing if the interface is not there, or does not have the setting, or never changes it.
std::optional<std::string> ReadSetting(const KernelSetting& setting);
// Errors name the setting, the kernel's error and what would help.
absl::Status WriteSetting(const KernelSetting& setting, std::string_view value);

}  // namespace qure
