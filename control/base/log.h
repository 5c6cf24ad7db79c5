// One line per event on standard error: time (UTC), level, text; the priority prefix `<6>` instead of time and level
// where standard error is systemd's journal.
#pragma once

#include <string_view>

#include "control/base/text.h"
#include "proto/log_level.h"

namespace qure {

void SetLogLevel(LogLevel level);
// Thread-safe. Never called per packet. A text of several lines becomes several log lines; control characters are
// masked.
void LogLine(LogLevel level, std::string_view text);
// The text is Concat of the parts.
template <typename... Parts>
requires(sizeof...(Parts) > 1) void LogLine(LogLevel level, const Parts&... parts) {
  LogLine(level, std::string_view(Concat(parts...)));
}

}  // namespace qure
