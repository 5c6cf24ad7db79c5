// A cluster's key as operators write it: 64 hexadecimal digits.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proto/cluster/envelope.h"

namespace qure {

inline constexpr size_t kClusterKeyDigits = 2 * std::tuple_size_v<ClusterKey>;

// Nothing if it is not 64 hexadecimal digits, or all of them are zero.
std::optional<ClusterKey> ParseClusterKey(std::string_view text);
// The digits: for the operator who made the key, never for logs and answers.
std::string ClusterKeyText(const ClusterKey& key);
// From the system's random numbers.
ClusterKey DrawClusterKey();

// `text` without the runs of digits that may be part of a key.
std::string WithoutKeys(std::string_view text);

}  // namespace qure
