#include "control/core/cluster/namesakes.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "control/core/cluster/identity.h"
#include "control/core/timers.h"

namespace qure {

void Namesakes::OnHello(const NodeFacts& self, const Member& member, Actions* out) {
  Namesake shares{.node = member.node};
  if (member.hello.name() == self.name) shares.name = self.name;
  if (!self.address.is_zero() && member.at.address == self.address) shares.address = self.address;
  if (shares.name.empty() && shares.address.is_zero()) {
    known_.erase(member.node);
    return;
  }
  const auto known = known_.find(member.node);
  if (known == known_.end() && known_.size() >= kMaxMembers) return;
  const bool is_new =
      known == known_.end() || known->second.name != shares.name || known->second.address != shares.address;
  if (is_new) {
    const std::string ids = absl::StrCat(ToHex(self.node_id), " (this node) and ", ToHex(member.node));
    if (!shares.name.empty()) {
      out->push_back(MakeLog(LogLevel::kError, "two nodes have the name \"", self.name, "\": ", ids,
                             "; give one of them another node.name"));
    }
    if (!shares.address.is_zero()) {
      out->push_back(MakeLog(LogLevel::kError, "two nodes have the address ", ToString(self.address), ": ", ids,
                             "; give one of them another"));
    }
  }
  known_[member.node] = std::move(shares);
}

std::vector<Namesake> Namesakes::Among(const Membership& members) const {
  std::vector<Namesake> present;
  for (const auto& [node, shares] : known_) {
    const Member* const member = members.Find(node);
    if (member != nullptr && member->present()) present.push_back(shares);
  }
  return present;
}

}  // namespace qure
