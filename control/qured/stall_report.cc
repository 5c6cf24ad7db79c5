#include "control/qured/stall_report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace qure {
namespace {

int64_t ToMilliseconds(Duration span) {
  return span.ns / Milliseconds(1).ns;
}

}  // namespace

std::optional<std::string> StallReport::OnStall(MonoTime now, Duration span) {
  if (!due_ && now - last_ < kInterval) {
    ++held_back_;
    longest_ = std::max(longest_, span);
    return Tick(now);
  }
  due_ = false;
  last_ = now;
  return absl::StrCat("worker stood still for ", ToMilliseconds(span),
                      " ms; silent until it is known that nobody took over");
}

std::optional<std::string> StallReport::Tick(MonoTime now) {
  if (held_back_ == 0 || now - last_ < kInterval) return std::nullopt;
  last_ = now;
  const std::string line =
      absl::StrCat("stalls not reported one by one: ", held_back_, ", the longest ", ToMilliseconds(longest_), " ms");
  held_back_ = 0;
  longest_ = {};
  return line;
}

}  // namespace qure
