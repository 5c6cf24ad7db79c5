#include "control/qured/machine.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <utility>

#include "control/base/log.h"
#include "control/base/ownership.h"
#include "control/kernel/lan_interface.h"
#include "control/kernel/plan.h"
#include "control/kernel/setting.h"

namespace qure {
namespace {

std::optional<unsigned> QueuesOf(const PortSpec& lan, unsigned workers) {
  return lan.kind == PortKind::kAfXdp ? std::optional(workers) : std::nullopt;
}

// Bits of CapEff in /proc/self/status (linux/capability.h).
constexpr uint64_t kNetAdmin = 1ULL << 12;
constexpr uint64_t kNetRaw = 1ULL << 13;

uint64_t EffectiveCapabilities() {
  std::ifstream status("/proc/thread-self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("CapEff:")) return std::strtoull(line.c_str() + 7, nullptr, 16);
  }
  return ~0ULL;
}

}  // namespace

absl::Status CheckRights() {
  constexpr uint64_t kNeeded = kNetAdmin | kNetRaw;
  if ((EffectiveCapabilities() & kNeeded) == kNeeded) return absl::OkStatus();
  return absl::PermissionDeniedError(
      "qured opens packet sockets and changes interfaces: run it as root, or with CAP_NET_ADMIN and CAP_NET_RAW");
}

std::unique_ptr<KernelJournal> OpenJournal(const std::string& directory) {
  std::unique_ptr<KernelJournal> journal = KernelJournal::Open(directory);
  for (const std::string& line : journal->Undo()) LogLine(LogLevel::kInfo, "from a process that was killed: ", line);
  return journal;
}

absl::Status PrepareLan(const PortSpec& lan, unsigned workers, KernelJournal* journal) {
  if (lan.interface().empty()) return absl::OkStatus();
  const LanCheck check = CheckLanInterface(lan.interface());
  if (!check.usable.ok()) return check.usable;
  for (const std::string& warning : check.warnings) LogLine(LogLevel::kWarning, warning);
  return PrepareLanInterface(lan.interface(), QueuesOf(lan, workers), journal);
}

absl::StatusOr<TakenOver> TakeOver(const Config& config, const PortSpec& lan) {
  TakenOver taken = {config, {}};
  if (config.node.lan_mode != LanMode::kDedicated || lan.interface().empty()) return taken;
  absl::StatusOr<LanUse> use = UseOf(lan.interface());
  if (!use.ok()) return use.status();
  if (!config.node.take_over) {
    if (absl::Status refused = RefuseUse(lan.interface(), *use); !refused.ok()) return refused;
  }
  taken.use = *std::move(use);
  std::vector<IpPrefix>& addresses = taken.config.node.addresses;
  for (const ForeignAddress& address : taken.use.addresses) {
    if (std::ranges::find(addresses, address.address) == addresses.end()) addresses.push_back(address.address);
  }
  return taken;
}

HostInterfaceOptions HostOptionsOf(const TakenOver& taken, const PortSpec& lan, uint16_t mtu, KernelJournal* journal) {
  HostInterfaceOptions options;
  options.journal = journal;
  options.interface = taken.config.node.host_interface;
  options.lan_interface = lan.interface();
  options.mode = taken.config.node.lan_mode;
  options.mtu = mtu;
  options.node_addresses = taken.config.node.addresses;
  options.taken = taken.use;
  options.gateways = taken.config.cluster.gateways;
  return options;
}

absl::StatusOr<std::vector<std::string>> PlanOf(const Config& config) {
  const absl::StatusOr<PortSpec> lan = ParsePortSpec(config.node.lan_port);
  if (!lan.ok()) return lan.status();
  const std::string interface = lan->interface();
  if (!interface.empty() && !ReadSetting(LinkFlag(interface, "up"))) {
    return std::vector<std::string>{interface + " is not on this machine: no plan"};
  }
  LanCheck check;
  if (!interface.empty()) check = CheckLanInterface(interface);
  if (!check.usable.ok()) return check.usable;
  const absl::StatusOr<TakenOver> taken = TakeOver(config, *lan);
  if (!taken.ok()) return taken.status();
  const auto settings = interface.empty() ? KernelJournal::Wanted{}
                                          : LanInterfaceSettings(interface, QueuesOf(*lan, config.node.workers));
  std::vector<std::string> lines = std::move(check.warnings);
  for (std::string& line : PlanLines(HostOptionsOf(*taken, *lan, 0, nullptr), settings))
    lines.push_back(std::move(line));
  return lines;
}

absl::StatusOr<std::vector<std::string>> RestoreMachine(const Config& config) {
  const absl::StatusOr<Fd> data_directory = OwnDirectory(config.node.data_directory);
  if (!data_directory.ok()) return data_directory.status();
  return KernelJournal::Open(config.node.data_directory)->Undo();
}

}  // namespace qure
