// When a cluster changes its session key by itself: a member that has left still has it; and the thief of a disk
// reads what was recorded under the key that is on it, so no key is used for long. Pure.
#pragma once

#include <cstdint>

#include "control/core/admission/records.h"
#include "control/core/admission/view.h"
#include "proto/time.h"

namespace qure::admission {

inline constexpr Duration kRotateWhole = Seconds(7 * 24 * 3600);    // if all members are present, …
inline constexpr Duration kRotateAnyway = Seconds(30 * 24 * 3600);  // … or not; in the cluster's uptime
inline constexpr Duration kLookAtKeyAge = Seconds(1);
inline constexpr Duration kRotateAgain = Seconds(3600);  // not more often by itself, whatever records say

// `used`: the record of the key that is used. `whole`: all members of `view` are present.
bool IsDueForChange(const Session& used, const RecordSet& records, const View& view, uint64_t uptime_ms, bool whole);

}  // namespace qure::admission
