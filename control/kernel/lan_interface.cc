#include "control/kernel/lan_interface.h"

#include "control/base/log.h"
#include "control/base/text.h"

namespace qure {

absl::Status PrepareLanInterface(const std::string& interface, std::optional<unsigned> queues, KernelJournal* journal) {
  absl::Status status = journal->Set({{LinkFlag(interface, "up"), "1"}, {LinkFlag(interface, "promisc"), "1"}});
  if (!status.ok()) return status;
  for (const char* merging : {"rx-gro", "rx-lro", "rx-gro-hw"}) {
    status = journal->Set({{Offload(interface, merging), "0"}});
    if (!status.ok()) LogLine(LogLevel::kWarning, status.message(), ": merged frames are dropped as no_room");
  }
  if (!queues) return absl::OkStatus();
  status = journal->Set({{ReceiveQueues(interface), Concat(*queues)}});
  if (status.ok()) return status;
  return absl::FailedPreconditionError(Concat("LAN port af_xdp:", interface, " cannot be limited to ", *queues,
                                              " receive queues, one per worker: `ethtool -l ", interface, "`"));
}

}  // namespace qure
