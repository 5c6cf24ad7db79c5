// [cluster.registration] and the key that it names.
#pragma once

#include <optional>

#include "control/core/config.h"
#include "control/io/config_reader.h"

namespace qure {

// Nothing if it is not there or unsound; then errors are recorded.
std::optional<RegistrationConfig> ReadRegistration(TableReader* cluster);

}  // namespace qure
