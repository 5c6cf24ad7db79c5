// What the kernel keeps its clock by (/sys/devices/system/clocksource).
#pragma once

#include <string>
#include <string_view>

namespace qure {

// The present clock source; empty if the kernel does not say.
std::string ClockSource();

// Whether a lease can be kept by it. Timer ticks get lost while interrupts are off, and are coarse: `jiffies` is what
// is left when every real clock of a machine has failed.
bool IsFitClockSource(std::string_view source);

}  // namespace qure
