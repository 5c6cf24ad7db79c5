#include "control/core/admission/key_change.h"

#include <algorithm>

#include "proto/mutation.h"

namespace qure::admission {

void KeyChange::Follow(MonoTime now, const SessionKeys& keys, const Keyring& ring, bool rostered) {
  clean_.clear();
  for (const SessionGrant& grant : keys.clean()) clean_.push_back(grant.session().key_id);
  rostered_ = rostered;
  const uint32_t greatest = clean_.empty() ? 0 : clean_.front();
  if (greatest == 0 || greatest == ring.use) {
    coming_ = 0;
    switch_at_ = kNever;
  } else if (greatest != coming_) {
    coming_ = greatest;
    switch_at_ = now + kSwitchKey;
  }
  const bool settled = coming_ == 0 && greatest != 0;
  const bool unclean = std::ranges::any_of(ring.keys, [this](const StoredKey& key) { return !IsClean(key); });
  if (!settled || (!unclean && clean_.size() < 2)) {
    drop_at_ = kNever;
  } else {
    drop_at_ = std::min(drop_at_, now + (unclean ? kSwitchKey : kOldKey));
  }
}

// Keys that an operator has added, and that have no record, are the operator's to remove.
bool KeyChange::IsClean(const StoredKey& key) const {
  return std::ranges::find(clean_, key.id) != clean_.end() || (!rostered_ && key.record.empty());
}

std::optional<Keyring> KeyChange::Step(MonoTime now, const Keyring& ring, bool all_have) {
  Keyring next = ring;
  if (coming_ != 0) {
    const bool waits = !all_have && now < switch_at_ && !Mutated(Mutation::kSwitchKeyAtOnce);
    if (waits || std::ranges::find(ring.keys, coming_, &StoredKey::id) == ring.keys.end()) return std::nullopt;
    next.use = coming_;
    std::erase_if(next.keys, [&](const StoredKey& key) { return key.id != ring.use && !IsClean(key); });
    return next;
  }
  if (now < drop_at_) return std::nullopt;
  drop_at_ = kNever;
  if (Mutated(Mutation::kOldKeyStays)) return std::nullopt;
  // The others may seal with an unclean key for as long as they wait for each other.
  if (std::erase_if(next.keys, [this](const StoredKey& key) { return !IsClean(key); }) == 0) {
    std::erase_if(next.keys, [&](const StoredKey& key) { return key.id != ring.use && !key.record.empty(); });
  }
  return next.keys.size() == ring.keys.size() ? std::nullopt : std::optional(next);
}

}  // namespace qure::admission
