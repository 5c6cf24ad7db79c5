// Changes of the cluster's keys, as commands ask for them.
#pragma once

#include "absl/status/statusor.h"
#include "control/core/command.h"
#include "control/core/stored.h"

namespace qure {

// The keyring as the command makes it; an error if a key would be in use that is not there, or if an id would stand for
// two keys.
absl::StatusOr<Keyring> Changed(Keyring keyring, const AddKey& add);
absl::StatusOr<Keyring> Changed(Keyring keyring, const UseKey& use);
absl::StatusOr<Keyring> Changed(Keyring keyring, const RemoveKey& remove);

}  // namespace qure
