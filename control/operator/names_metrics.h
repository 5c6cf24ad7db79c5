// The metrics of names beside the packet path.
#pragma once

#include "control/operator/metric_families.h"
#include "nlohmann/json.hpp"

namespace qure {

// `names`: what NameService::Show says; parts that are not in it are left out.
void CollectNames(const nlohmann::ordered_json& names, Families* out);

}  // namespace qure
