#include "control/core/cluster/config_watch.h"

#include <utility>

#include "control/core/cluster/identity.h"
#include "control/core/timers.h"

namespace qure {

void ConfigWatch::Configure(uint64_t digest, std::string revision) {
  if (digest != digest_) differing_.clear();
  digest_ = digest;
  revision_ = std::move(revision);
}

// Nodes of different revisions are not compared: an upgrade may have brought new keys with their defaults.
void ConfigWatch::OnHello(MonoTime now, const NodeId& node, const Report& report, Actions* out) {
  const std::string& who = report.name.empty() ? ToHex(node) : report.name;
  const bool comparable = digest_ != 0 && report.digest != 0 && report.revision == revision_;
  if (!comparable || report.digest == digest_) {
    const auto before = differing_.find(node);
    if (before == differing_.end()) return;
    if (before->second.logged && comparable) {
      out->push_back(MakeLog(LogLevel::kInfo, "node ", who, " has the same [cluster] configuration again"));
    }
    differing_.erase(before);
    return;
  }
  Difference& difference = differing_.try_emplace(node, Difference{.since = now}).first->second;
  if (difference.logged || now - difference.since < kConfigDiffers) return;
  difference.logged = true;
  out->push_back(MakeLog(LogLevel::kWarning, "node ", who,
                         " has another [cluster] configuration than this node: compare the two with "
                         "`qurectl config show`, and reload the one that is old"));
}

bool ConfigWatch::Differs(const NodeId& node) const {
  const auto difference = differing_.find(node);
  return difference != differing_.end() && difference->second.logged;
}

}  // namespace qure
