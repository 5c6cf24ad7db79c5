// One line per event on standard error: time (UTC), level, text; the priority prefix `<6>` instead of time and level
// where standard error is systemd's journal.
#pragma once

#include <string_view>

#include "proto/log_level.h"

namespace qure {

void SetLogLevel(LogLevel level);
// Thread-safe. Never called per packet. Each line of a text of several lines becomes a line of its own; control
// characters are masked.
void LogLine(LogLevel level, std::string_view text);

}  // namespace qure
