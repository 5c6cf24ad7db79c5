// The metrics of names beside the packet path.
#pragma once

#include "control/operator/metric_families.h"
#include "nlohmann/json.hpp"

namespace qure {

// `names`: the result of NameService::Show; parts that it lacks are left out.
void CollectNames(const nlohmann::ordered_json& names, Families* out);

}  // namespace qure
