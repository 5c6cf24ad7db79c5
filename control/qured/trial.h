// `qured --try`: the machine is given back, whatever becomes of the process.
#pragma once

#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "control/core/config.h"
#include "proto/time.h"

namespace qure {

// "60s" or "5m"; nothing for other text, or for less than a second or more than a day.
std::optional<Duration> ParseTrial(std::string_view text);

// Starts a process that waits for the end of this one, by whatever cause, and then does what `qured --restore` does.
// Call it before any other thread exists.
absl::Status WatchTrial(const Config& config);

}  // namespace qure
