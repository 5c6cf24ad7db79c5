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
  if (now - last_ < kInterval) {
    ++held_back_;
    longest_ = std::max(longest_, span);
    return Tick(now);
  }
  last_ = now;
  return absl::StrCat("worker stood still for ", ToMilliseconds(span),
                      " ms; answers are withheld until it is certain that no other node took over");
}

std::optional<std::string> StallReport::Tick(MonoTime now) {
  if (held_back_ == 0 || now - last_ < kInterval) return std::nullopt;
  last_ = now;
  const std::string line = absl::StrCat("more stalls: ", held_back_, ", the longest ", ToMilliseconds(longest_), " ms");
  held_back_ = 0;
  longest_ = {};
  return line;
}

}  // namespace qure
