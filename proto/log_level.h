// How urgent a log line is: the control core names the level, control/base writes the line.
#pragma once

#include <cstdint>

namespace qure {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

}  // namespace qure
