#include "control/qured/clock_source.h"

#include <fstream>

namespace qure {

std::string ClockSource() {
  std::ifstream file("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  std::string source;
  std::getline(file, source);
  return source;
}

bool IsFitClockSource(std::string_view source) {
  return source != "jiffies" && source != "refined-jiffies";
}

}  // namespace qure
