#include "control/kernel/lan_interface.h"

#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "absl/strings/str_join.h"
#include "control/base/fd.h"
#include "control/base/log.h"
#include "control/base/text.h"

namespace qure {
namespace {

// ARPHRD_… of linux/if_arp.h; nothing if the interface is not there.
std::optional<int> HardwareType(const std::string& interface) {
  ifreq request = {};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0) return std::nullopt;
  return request.ifr_hwaddr.sa_family;
}

constexpr const char* kMerging[] = {"rx-gro", "rx-lro", "rx-gro-hw"};
constexpr std::string_view kInterfaces = "/sys/class/net/";

std::string FileOf(const std::string& interface, std::string_view name) {
  return Concat(kInterfaces, interface, "/", name);
}

std::string Others(const std::string& interface) {
  const std::vector<std::string> names = LanInterfaces(interface);
  return names.empty() ? "this machine has none" : Concat("this machine has ", absl::StrJoin(names, ", "));
}

}  // namespace

std::vector<std::string> LanInterfaces(const std::string& except) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(kInterfaces), error)) {
    const std::string name = entry.path().filename().string();
    const bool bridge = std::filesystem::exists(FileOf(name, "bridge"), error);
    if (name != except && !bridge && HardwareType(name) == ARPHRD_ETHER) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

LanCheck CheckLanInterface(const std::string& interface) {
  const std::optional<int> type = HardwareType(interface);
  if (!type) return {};  // the port says that it is missing
  if (*type != ARPHRD_ETHER) {
    return {.usable =
                absl::FailedPreconditionError(Concat("node.lan.port: ", interface,
                                                     " is no Ethernet interface (a tunnel or the loopback), so that no "
                                                     "MAC address can be answered for: use the interface of the LAN; ",
                                                     Others(interface)))};
  }
  LanCheck check;
  std::error_code error;
  if (!std::filesystem::exists(FileOf(interface, "bridge"), error)) return check;
  bool joins_device = false;
  for (const auto& port : std::filesystem::directory_iterator(FileOf(interface, "brif"), error)) {
    joins_device = joins_device || std::filesystem::exists(FileOf(port.path().filename().string(), "device"), error);
  }
  if (joins_device) return check;
  check.warnings.push_back(Concat(interface,
                                  " is a bridge that no network card is in, as those of containers are: hosts "
                                  "of the LAN are not behind it; use the interface of the LAN; ",
                                  Others(interface)));
  return check;
}

KernelJournal::Wanted LanInterfaceSettings(const std::string& interface, std::optional<unsigned> queues) {
  KernelJournal::Wanted wanted = {{LinkFlag(interface, "up"), "1"}, {LinkFlag(interface, "promisc"), "1"}};
  for (const char* merging : kMerging) wanted.emplace_back(Offload(interface, merging), "0");
  if (queues) wanted.emplace_back(ReceiveQueues(interface), Concat(*queues));
  return wanted;
}

absl::Status PrepareLanInterface(const std::string& interface, std::optional<unsigned> queues, KernelJournal* journal) {
  for (const auto& wanted : LanInterfaceSettings(interface, queues)) {
    absl::Status status = journal->Set({wanted});
    if (status.ok()) continue;
    switch (wanted.first.kind) {
      case KernelSetting::Kind::kOffload:
        LogLine(LogLevel::kWarning, status.message(), ": merged frames are dropped as no_room");
        break;
      case KernelSetting::Kind::kQueues:
        return absl::FailedPreconditionError(Concat("LAN port af_xdp:", interface, " cannot be limited to ", *queues,
                                                    " receive queues, one per worker: `ethtool -l ", interface, "`"));
      default:
        return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace qure
