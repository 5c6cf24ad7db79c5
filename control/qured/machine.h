// What qured does to the machine that it runs on, and how that is given back.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/core/config.h"
#include "control/kernel/journal.h"
#include "proto/port_spec.h"

namespace qure {

// The journal of the data directory. What a process that was killed has left changed is given back first.
std::unique_ptr<KernelJournal> OpenJournal(const std::string& directory);

// Makes the interface beneath the LAN port ready, if there is one.
absl::Status PrepareLan(const PortSpec& lan, unsigned workers, KernelJournal* journal);

// `qured --restore`: gives back what a process that was killed has left changed. A line about each change. Error: a
// qured runs on the data directory.
absl::StatusOr<std::vector<std::string>> RestoreMachine(const Config& config);

}  // namespace qure
