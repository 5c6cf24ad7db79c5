#include "control/qured/machine.h"

#include <optional>

#include "control/base/log.h"
#include "control/base/ownership.h"
#include "control/kernel/lan_interface.h"

namespace qure {

std::unique_ptr<KernelJournal> OpenJournal(const std::string& directory) {
  std::unique_ptr<KernelJournal> journal = KernelJournal::Open(directory);
  for (const std::string& line : journal->Undo()) LogLine(LogLevel::kInfo, "from a process that was killed: ", line);
  return journal;
}

absl::Status PrepareLan(const PortSpec& lan, unsigned workers, KernelJournal* journal) {
  if (lan.interface().empty()) return absl::OkStatus();
  const std::optional<unsigned> queues = lan.kind == PortKind::kAfXdp ? std::optional(workers) : std::nullopt;
  return PrepareLanInterface(lan.interface(), queues, journal);
}

absl::StatusOr<std::vector<std::string>> RestoreMachine(const Config& config) {
  const absl::StatusOr<Fd> data_directory = OwnDirectory(config.node.data_directory);
  if (!data_directory.ok()) return data_directory.status();
  return KernelJournal::Open(config.node.data_directory)->Undo();
}

}  // namespace qure
