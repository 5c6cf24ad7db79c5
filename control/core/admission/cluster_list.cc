#include "control/core/admission/cluster_list.h"

#include <algorithm>
#include <variant>

#include "control/core/admission/handshake.h"

namespace qure::admission {

void ClusterList::OnDatagram(MonoTime now, const MacAddress& source, ConstBytes payload) {
  if (!checks_.Has(now)) return;
  const auto read = ReadMessage(payload);
  const auto* const all = std::get_if<AdmissionMessage>(&read);
  const auto* const message = all == nullptr ? nullptr : std::get_if<ClusterMessage>(all);
  if (message == nullptr || !checks_.Take(now) || !VerifyMessage(*message)) return;
  if (heard_.size() >= kMaxClustersHeard && !heard_.contains(message->cluster)) {
    heard_.erase(std::ranges::min_element(heard_, {}, [](const auto& each) { return each.second.heard; }));
  }
  heard_[message->cluster] = {.name = message->name, .nodes = message->nodes, .mac = source, .heard = now};
}

void ClusterList::Tick(MonoTime now) {
  std::erase_if(heard_, [&](const auto& each) { return each.second.heard + kClusterHeardLife <= now; });
}

}  // namespace qure::admission
