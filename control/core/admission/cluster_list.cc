#include "control/core/admission/cluster_list.h"

#include <algorithm>

namespace qure::admission {

void ClusterList::Note(MonoTime now, const MacAddress& source, const ClusterMessage& message) {
  if (!checks_.Take(now) || !VerifyMessage(message)) return;
  if (heard_.size() >= kMaxClustersHeard && !heard_.contains(message.cluster)) {
    heard_.erase(std::ranges::min_element(heard_, {}, [](const auto& each) { return each.second.heard; }));
  }
  heard_[message.cluster] = {.name = message.name, .nodes = message.nodes, .mac = source, .heard = now};
}

void ClusterList::Tick(MonoTime now) {
  std::erase_if(heard_, [&](const auto& each) { return each.second.heard + kClusterHeardLife <= now; });
}

}  // namespace qure::admission
