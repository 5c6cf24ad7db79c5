// What qured does to the machine that it runs on, and how that is given back.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/core/config.h"
#include "control/kernel/host_interface.h"
#include "control/kernel/journal.h"
#include "proto/port_spec.h"

namespace qure {

// Refuses to start without the rights that it takes. The error says how to get them.
absl::Status CheckRights();

// The journal of the data directory. What a process that was killed has left changed is given back first.
std::unique_ptr<KernelJournal> OpenJournal(const std::string& directory);

// The configuration with what the machine has on the interface beneath the LAN port, if that is to be taken over, and
// what that is. Error: it would be taken without leave.
struct TakenOver {
  Config config;
  LanUse use;
};
absl::StatusOr<TakenOver> TakeOver(const Config& config, const PortSpec& lan);

HostInterfaceOptions HostOptionsOf(const TakenOver& taken, const PortSpec& lan, uint16_t mtu, KernelJournal* journal);

// `qured --check`: a line about each change that qured would make on this machine. Errors as TakeOver.
absl::StatusOr<std::vector<std::string>> PlanOf(const Config& config);

// Makes the interface beneath the LAN port ready, if there is one. Errors: it is no Ethernet interface.
absl::Status PrepareLan(const PortSpec& lan, unsigned workers, KernelJournal* journal);

// `qured --restore`: gives back what a process that was killed has left changed. A line about each change. Error: a
// qured runs on the data directory.
absl::StatusOr<std::vector<std::string>> RestoreMachine(const Config& config);

}  // namespace qure
