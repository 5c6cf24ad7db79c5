// Resources that only one qured may use at a time. The kernel releases these locks however the process ends.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/base/fd.h"

namespace qure {

// Creates `path` (mode 0700) and its parents where they are missing. Does not change an existing directory.
absl::Status MakePrivateDirectory(const std::string& path);

// Locks the directory itself (created if missing) while the result exists. For short locks: waits until it is free.
absl::StatusOr<Fd> LockDirectory(const std::string& path);

// Each takes a resource for this process alone while the result exists. FailedPrecondition if another process has it.
// A data directory, created if missing: locks the file DIRECTORY/lock.
absl::StatusOr<Fd> OwnDirectory(const std::string& path);
// The network namespace of this process: host ports, rules and routes of two nodes in it would undo each other.
absl::StatusOr<Fd> OwnNetworkNamespace();

}  // namespace qure
