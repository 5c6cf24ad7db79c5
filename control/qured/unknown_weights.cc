#include "control/qured/unknown_weights.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace qure {

std::vector<std::string> UnknownWeights(const ClusterConfig& config, const std::vector<NodeRow>& nodes) {
  std::set<std::string> known;
  for (const NodeRow& node : nodes) known.insert(node.name);
  std::vector<std::string> lines;
  for (const ServiceConfig& service : config.services) {
    for (const auto& [name, weight] : service.weights) {
      if (known.contains(name)) continue;
      lines.push_back(absl::StrCat("cluster.service.weights: service ", service.name, " has a weight for ", name,
                                   ", and no node of this cluster has that name; known: ", absl::StrJoin(known, ", ")));
    }
  }
  return lines;
}

}  // namespace qure
