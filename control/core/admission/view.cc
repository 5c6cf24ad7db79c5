#include "control/core/admission/view.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "proto/check.h"
#include "proto/mutation.h"

namespace qure::admission {
namespace {

const RecordHead* HeadOf(const Record& record) {
  if (const auto* roster = record.As<Roster>()) return &roster->head;
  if (const auto* admit = record.As<Admit>()) return &admit->head;
  if (const auto* leave = record.As<Leave>()) return &leave->head;
  if (const auto* forget = record.As<Forget>()) return &forget->head;
  if (const auto* invite = record.As<Invite>()) return &invite->head;
  return nullptr;
}

Digest DigestOf(std::string_view label, const Record& genesis, const std::vector<RecordId>& ids) {
  std::vector<uint8_t> bytes(genesis.id().begin(), genesis.id().end());
  for (const RecordId& id : ids) bytes.insert(bytes.end(), id.begin(), id.end());
  return Hash(label, {bytes});
}

// Who was reached from the base by admissions of the generation, before LEAVEs and doubtful node ids.
class Reached {
 public:
  Reached(const RecordSet& records, View* view) : records_(records), view_(view) {
    Begin();
    Follow();
  }

  bool Contains(const PublicKey& identity) const { return view_->members.contains(identity); }

 private:
  void Begin() {
    const Genesis& genesis = *records_.genesis().As<Genesis>();
    std::vector<Listed> base = {genesis.founder};
    for (const auto& [id, record] : records_.rosters()) {
      const Roster& roster = *record.As<Roster>();
      if (roster.generation < view_->generation) continue;
      if (roster.generation > view_->generation) {
        view_->generation = roster.generation;
        view_->in_effect.clear();
        base = roster.members;
      }
      std::vector<Listed> both;
      if (Mutated(Mutation::kRosterUnion)) {
        std::ranges::set_union(base, roster.members, std::back_inserter(both));
      } else {
        std::ranges::set_intersection(base, roster.members, std::back_inserter(both));
      }
      base = std::move(both);
      view_->in_effect.push_back(id);
    }
    view_->rosters = DigestOf("qure rosters 1", records_.genesis(), view_->in_effect);
    for (const Listed& listed : base) {
      view_->members[listed.identity].node = listed.node;
      base_.insert(listed.identity);
      queue_.push_back(listed.identity);
    }
  }

  bool Counts(const Admit& admit) const {
    if (admit.generation != view_->generation && !Mutated(Mutation::kOldAdmissionCounts)) return false;
    // From before there were identities, only the founder knows who had which id.
    return !admit.legacy || admit.signer == records_.genesis().As<Genesis>()->founder.identity;
  }

  void Follow() {
    std::multimap<PublicKey, const Record*> by_signer;
    for (const auto& [id, record] : records_.others()) {
      const auto* admit = record.As<Admit>();
      if (admit != nullptr && Counts(*admit)) by_signer.emplace(admit->signer, &record);
    }
    for (const auto& [signer, record] : by_signer) {
      if (Mutated(Mutation::kAnySignerAdmits)) queue_.push_back(signer);
    }
    std::map<PublicKey, const Record*> chosen;
    for (size_t next = 0; next < queue_.size(); ++next) {
      const auto [begin, end] = by_signer.equal_range(queue_[next]);
      for (auto it = begin; it != end; ++it) {
        const PublicKey& subject = it->second->As<Admit>()->subject.identity;
        view_->in_effect.push_back(it->second->id());
        if (view_->members.try_emplace(subject).second) queue_.push_back(subject);
        Choose(*it->second, &chosen[subject]);
      }
    }
    for (const auto& [identity, record] : chosen) {
      const Admit& admit = *record->As<Admit>();
      MemberView& member = view_->members.at(identity);
      member.name = admit.name;
      if (!base_.contains(identity)) member.node = admit.subject.node;
    }
  }

  // Of several admissions of one identity: one whose node id follows from the identity, and of those the least.
  static void Choose(const Record& record, const Record** chosen) {
    const auto rank = [](const Record& each) { return std::pair(each.As<Admit>()->legacy, each.id()); };
    if (*chosen == nullptr || rank(record) < rank(**chosen)) *chosen = &record;
  }

  const RecordSet& records_;
  View* view_;
  std::set<PublicKey> base_;
  std::vector<PublicKey> queue_;  // whose admissions are followed: first the base
};

// The least of what the invitations to a token say, less the admissions by it.
std::map<TokenId, TokenView> TokensOf(const RecordSet& records, const Reached& reached, View* view) {
  std::vector<const Record*> invites;
  uint64_t latest = 0;
  for (const auto& [id, record] : records.others()) {
    const auto* invite = record.As<Invite>();
    if (invite == nullptr || invite->generation != view->generation || !reached.Contains(invite->signer)) continue;
    invites.push_back(&record);
    latest = std::max(latest, invite->head.uptime_ms);
  }
  std::map<TokenId, TokenView> tokens;
  for (const Record* record : invites) {
    const Invite& invite = *record->As<Invite>();
    if (invite.until_uptime <= latest) continue;
    view->in_effect.push_back(record->id());
    TokenView first{.key = invite.key, .uses = invite.uses, .until_uptime = invite.until_uptime, .used_by = {}};
    const auto [found, added] = tokens.try_emplace(invite.token, first);
    TokenView& token = found->second;
    token.uses = token.key == invite.key ? std::min(token.uses, invite.uses) : 0;
    token.until_uptime = std::min(token.until_uptime, invite.until_uptime);
  }
  for (const RecordId& id : view->in_effect) {
    const auto record = records.others().find(id);
    const auto* admit = record == records.others().end() ? nullptr : record->second.As<Admit>();
    const auto token = admit == nullptr ? tokens.end() : tokens.find(admit->token);
    if (token == tokens.end()) continue;
    std::vector<PublicKey>& used_by = token->second.used_by;
    if (std::ranges::find(used_by, admit->subject.identity) == used_by.end()) {
      used_by.push_back(admit->subject.identity);
    }
  }
  for (auto& [id, token] : tokens) {
    std::ranges::sort(token.used_by);
    token.uses -= std::min<uint32_t>(token.uses, static_cast<uint32_t>(token.used_by.size()));
  }
  return tokens;
}

// Two identities claim one node id: it belongs to neither, unless it follows from one of them.
void VoidDoubtful(std::map<PublicKey, MemberView>* members) {
  std::map<NodeId, size_t> claims;
  for (const auto& [identity, member] : *members) ++claims[member.node];
  std::erase_if(*members, [&](const auto& each) {
    return claims[each.second.node] > 1 && each.second.node != NodeIdOf(each.first);
  });
}

}  // namespace

RecordSet::RecordSet(Record genesis) : genesis_(std::move(genesis)), cluster_(ClusterFingerprint(genesis_)) {
  QURE_CHECK(genesis_.As<Genesis>() != nullptr);
}

RecordSet::Added RecordSet::Add(const Record& record) {
  if (record.id() == genesis_.id()) return Added::kKnown;
  const RecordHead* head = HeadOf(record);
  if (head == nullptr || head->cluster != MarkOf(cluster_)) return Added::kForeign;
  if (record.As<Roster>() != nullptr) return AddRoster(record);
  if (others_.contains(record.id())) return Added::kKnown;
  if (IsFull(record.signer())) DropWithoutEffect();
  if (IsFull(record.signer())) return Added::kFull;
  others_.emplace(record.id(), record);
  ++signed_by_[record.signer()];
  return Added::kNew;
}

RecordSet::Added RecordSet::AddRoster(const Record& record) {
  if (record.signer() != genesis_.As<Genesis>()->recovery) return Added::kForeign;
  if (!rosters_.emplace(record.id(), record).second) return Added::kKnown;
  if (rosters_.size() <= kMaxRosters) return Added::kNew;
  // The least (generation, id) goes, the same at all nodes.
  const auto least = std::ranges::min_element(rosters_, {}, [](const auto& each) {
    return std::pair(each.second.template As<Roster>()->generation, each.first);
  });
  const Added added = least->first == record.id() ? Added::kFull : Added::kNew;
  rosters_.erase(least);
  return added;
}

bool RecordSet::IsFull(const PublicKey& signer) const {
  const auto count = signed_by_.find(signer);
  return others_.size() >= kMaxRecords || (count != signed_by_.end() && count->second >= kMaxRecordsOfSigner);
}

void RecordSet::DropWithoutEffect() {
  const View view = ViewOf(*this);
  std::erase_if(others_, [&](const auto& each) { return !std::ranges::binary_search(view.in_effect, each.first); });
  signed_by_.clear();
  for (const auto& [id, record] : others_) ++signed_by_[record.signer()];
}

size_t RecordSet::Merge(const RecordSet& other) {
  QURE_CHECK(other.cluster_ == cluster_);
  size_t added = 0;
  for (const auto* records : {&other.rosters_, &other.others_}) {
    for (const auto& [id, record] : *records) added += Add(record) == Added::kNew ? 1 : 0;
  }
  return added;
}

View ViewOf(const RecordSet& records) {
  View view;
  const Reached reached(records, &view);
  for (const auto& [id, record] : records.others()) {
    if (const auto* leave = record.As<Leave>(); leave != nullptr && reached.Contains(leave->subject)) {
      view.left.emplace(leave->subject, view.members.at(leave->subject));
      view.in_effect.push_back(id);
    }
    const auto* forget = record.As<Forget>();
    if (forget == nullptr || !reached.Contains(forget->signer) || !reached.Contains(forget->subject)) continue;
    std::optional<uint64_t>& forgotten = view.members.at(forget->subject).forgotten;
    forgotten = std::max(forgotten.value_or(0), forget->age);
    view.in_effect.push_back(id);
  }
  view.tokens = TokensOf(records, reached, &view);
  std::erase_if(view.members, [&](const auto& each) { return view.left.contains(each.first); });
  VoidDoubtful(&view.members);
  std::ranges::sort(view.in_effect);
  view.digest = DigestOf("qure view 1", records.genesis(), view.in_effect);
  return view;
}

}  // namespace qure::admission
