#include "control/core/admission/key_age.h"

#include <algorithm>

namespace qure::admission {
namespace {

constexpr uint64_t ToMs(Duration duration) {
  return static_cast<uint64_t>(duration.ns / Milliseconds(1).ns);
}

}  // namespace

bool IsDueForChange(const Session& used, const RecordSet& records, const View& view, uint64_t uptime_ms, bool whole) {
  const uint64_t age = uptime_ms - std::min(uptime_ms, used.head.uptime_ms);
  if (age >= ToMs(whole ? kRotateWhole : kRotateAnyway)) return true;
  if (view.left.empty()) return false;
  return std::ranges::any_of(records.others(), [&](const auto& each) {
    const auto* leave = each.second.template As<Leave>();
    return leave != nullptr && view.left.contains(leave->subject) && leave->head.uptime_ms > used.head.uptime_ms;
  });
}

}  // namespace qure::admission
