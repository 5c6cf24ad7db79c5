// `qurectl config diff`: what differs between two texts of the cluster's configuration, by diff(1).
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace qure {

struct LabelledText {
  std::string label;
  std::string text;
};
// Unified, with the labels in place of file names. Empty: they are equal.
absl::StatusOr<std::string> UnifiedDiff(const LabelledText& from, const LabelledText& to);

// From what is in effect to what FILE says of the cluster; or from number N to what is in effect. `what` empty: from
// what is in effect to each lost change that waits to be acknowledged; if there is none, from number 1. Unavailable:
// qured is not reachable.
absl::StatusOr<std::string> ConfigDiff(const std::string& socket, const std::string& what);

}  // namespace qure
