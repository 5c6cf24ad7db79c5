// What qured would change on this machine, before it does: for `qured --check`, and to refuse what takes the operator's
// connection away.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/kernel/host_interface.h"
#include "control/kernel/journal.h"

namespace qure {

// What the machine itself has on an interface; empty if the interface is missing.
absl::StatusOr<LanUse> UseOf(const std::string& interface);

// Refuses dedicated mode on an interface that carries an address or a route of the machine. The error says which, and
// what to do.
absl::Status RefuseUse(const std::string& interface, const LanUse& use);

// One line for each change: which address, route and setting moves where. `settings`: beside those of `options`.
std::vector<std::string> PlanLines(const HostInterfaceOptions& options, const KernelJournal::Wanted& settings);

}  // namespace qure
