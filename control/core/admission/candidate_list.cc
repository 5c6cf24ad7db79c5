#include "control/core/admission/candidate_list.h"

#include "control/core/admission/codes.h"

namespace qure::admission {

std::string_view NameOf(ListedState state) {
  switch (state) {
    case ListedState::kUnnamed:
      return "unnamed";
    case ListedState::kNamed:
      return "named";
    case ListedState::kExpelled:
      return "expelled";
  }
  return "?";
}

void CandidateList::Note(MonoTime now, const CandidateMessage& candidate, ListedState state) {
  auto found = listed_.find(candidate.identity);
  const MonoTime first = found == listed_.end() ? now : found->second.first_heard;
  if (found == listed_.end() && listed_.size() >= kMaxListed) {
    auto oldest = listed_.end();
    for (auto each = listed_.begin(); each != listed_.end(); ++each) {
      if (each->second.state == ListedState::kNamed) continue;
      if (oldest == listed_.end() || each->second.heard < oldest->second.heard) oldest = each;
    }
    if (oldest == listed_.end()) return;
    listed_.erase(oldest);
  }
  listed_[candidate.identity] = {.identity = candidate.identity,
                                 .node = candidate.node,
                                 .mac = candidate.mac,
                                 .name = candidate.name,
                                 .revision = candidate.revision,
                                 .copy = candidate.copy.has_value(),
                                 .want = candidate.want,
                                 .state = state,
                                 .first_heard = first,
                                 .heard = now};
}

void CandidateList::Tick(MonoTime now) {
  std::erase_if(listed_, [&](const auto& each) { return each.second.heard + kListedLife <= now; });
}

std::vector<ListedCandidate> CandidateList::Find(std::string_view digits) const {
  std::vector<ListedCandidate> found;
  for (const auto& [identity, listed] : listed_) {
    if (DigitsOf(FingerprintOf(identity)).starts_with(digits)) found.push_back(listed);
  }
  return found;
}

}  // namespace qure::admission
