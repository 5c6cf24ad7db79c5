// What a running qured has to itself. Locks of the kernel: they go with the process, however it ends.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/base/fd.h"

namespace qure {

// Creates `path` (mode 0700) and its parents where they are missing. An existing directory is left as it is.
absl::Status MakePrivateDirectory(const std::string& path);

// Locks the directory itself (created if missing) while the result lives, for short moments: waits for its turn.
absl::StatusOr<Fd> LockDirectory(const std::string& path);

// Each makes something this process's own while the result lives; FailedPrecondition if another process has it.
// A data directory, created if missing; the file DIRECTORY/lock is what is locked.
absl::StatusOr<Fd> OwnDirectory(const std::string& path);
// The network namespace we are in: host port, rules and routes of two nodes would undo each other.
absl::StatusOr<Fd> OwnNetworkNamespace();

}  // namespace qure
