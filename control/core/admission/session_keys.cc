#include "control/core/admission/session_keys.h"

#include <sodium.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "proto/check.h"
#include "proto/mutation.h"

namespace qure::admission {
namespace {

std::pair<uint64_t, uint32_t> OrderOf(const SessionGrant& grant) {
  return {grant.session().number, grant.session().key_id};
}

}  // namespace

Digest DigestOf(const ClusterKey& key) {
  return Hash("qure session key digest 1", {key});
}

SessionGrant::~SessionGrant() {
  sodium_memzero(key.data(), key.size());
}

void SessionKeys::Follow(const View& view, const PublicKey& self, MonoTime now) {
  view_ = view;
  std::erase_if(clean_, [this](const SessionGrant& grant) { return !IsClean(grant); });
  PlanToMake(self, now);
}

// The ranks are those of the view, which all have alike once they know the same.
void SessionKeys::PlanToMake(const PublicKey& self, MonoTime now) {
  const auto we = view_.members.find(self);
  if (!clean_.empty() || we == view_.members.end() || Mutated(Mutation::kMakeNoKey)) {
    make_at_ = kNever;
    return;
  }
  const auto rank = std::distance(view_.members.begin(), we);
  const auto last = std::max<int64_t>(static_cast<int64_t>(view_.members.size()) - 1, 1);
  make_at_ = std::min(make_at_, now + kMakeKeyAfter + kMakeKeySpread * rank / last);
}

bool SessionKeys::IsClean(const SessionGrant& grant) const {
  const Session& session = grant.session();
  return (session.rosters == view_.rosters || Mutated(Mutation::kUncleanKeyCounts)) &&
         view_.members.contains(session.signer) && session.number < kSessionNumberLimit;
}

bool SessionKeys::Take(const SessionGrant& grant) {
  if (grant.record.As<Session>() == nullptr || !IsClean(grant) || grant.session().key != DigestOf(grant.key)) {
    return false;
  }
  const auto same =
      std::ranges::find(clean_, grant.session().key_id, [](const auto& each) { return each.session().key_id; });
  if (same != clean_.end()) return same->record.id() == grant.record.id();
  const auto place = std::ranges::find_if(clean_, [&](const auto& each) { return OrderOf(each) < OrderOf(grant); });
  if (place == clean_.end() && clean_.size() == kSessionKeysKept) return false;
  clean_.insert(place, grant);
  if (clean_.size() > kSessionKeysKept) clean_.pop_back();
  make_at_ = kNever;
  return true;
}

std::optional<SessionGrant> SessionKeys::Make(const SigningKey& self, const RecordHead& head, const ClusterKey& key,
                                              uint32_t key_id) const {
  QURE_CHECK(view_.members.contains(self.public_key));
  const auto has_id = [&](const SessionGrant& grant) { return grant.session().key_id == key_id; };
  if (std::ranges::any_of(clean_, has_id)) return {};
  const uint64_t number = clean_.empty() ? 1 : clean_.front().session().number + 1;
  if (number >= kSessionNumberLimit) return {};
  const Session session{.head = head,
                        .signer = self.public_key,
                        .key_id = key_id,
                        .number = number,
                        .rosters = view_.rosters,
                        .key = DigestOf(key)};
  return SessionGrant(Record::Sign(session, self), key);
}

}  // namespace qure::admission
