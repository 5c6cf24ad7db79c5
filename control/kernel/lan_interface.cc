#include "control/kernel/lan_interface.h"

#include "control/base/log.h"
#include "control/base/text.h"

namespace qure {
namespace {

constexpr const char* kMerging[] = {"rx-gro", "rx-lro", "rx-gro-hw"};

}  // namespace

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
