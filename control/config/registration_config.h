// [cluster.registration] and the key that it names.
#pragma once

#include <optional>

#include "control/config/config_reader.h"
#include "control/core/config.h"

namespace qure {

// Nothing if it is absent or invalid; the latter is recorded as an error.
std::optional<RegistrationConfig> ReadRegistration(TableReader* cluster);

}  // namespace qure
