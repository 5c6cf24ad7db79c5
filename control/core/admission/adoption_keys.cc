// Session keys in the hands of members: how they change, and how a member that lacks one comes for it.
#include <algorithm>
#include <set>
#include <utility>

#include <sodium.h>

#include "absl/random/distributions.h"
#include "absl/strings/str_cat.h"
#include "control/core/admission/adoption.h"
#include "control/core/wire.h"
#include "proto/mutation.h"

namespace qure::admission {
namespace {

// The key with its record, if that is sound and of this cluster.
std::optional<SessionGrant> GrantOf(const StoredKey& key, const RecordSet& records) {
  if (key.record.empty()) return std::nullopt;
  const auto read = Record::Read(key.record, records.genesis().As<Genesis>()->recovery);
  const Record* const record = std::get_if<Record>(&read);
  if (record == nullptr || record->As<Session>() == nullptr) return std::nullopt;
  return SessionGrant(*record, key.key);
}

StoredKey StoredOf(const SessionGrant& grant) {
  return {.id = grant.session().key_id, .key = grant.key, .record = grant.record.Bytes()};
}

bool HasId(const Keyring& ring, uint32_t id) {
  return std::ranges::find(ring.keys, id, &StoredKey::id) != ring.keys.end();
}

}  // namespace

Keyring With(Keyring ring, const std::vector<SessionGrant>& grants) {
  for (const SessionGrant& grant : grants) {
    const auto known = std::ranges::find(ring.keys, grant.session().key_id, &StoredKey::id);
    if (known == ring.keys.end()) {
      ring.keys.push_back(StoredOf(grant));
    } else if (known->key == grant.key) {
      known->record = grant.record.Bytes();
    }
  }
  if (!HasId(ring, ring.use) && !grants.empty()) ring.use = grants.front().session().key_id;
  return ring;
}

// Those of the ring that are clean now.
SessionKeys Adoption::CleanOf(const Keyring& ring, MonoTime now) const {
  SessionKeys keys;
  keys.Follow(roll_->view(), roll_->key()->public_key, now);
  for (const StoredKey& key : ring.keys) {
    if (const std::optional<SessionGrant> grant = GrantOf(key, *roll_->records())) keys.Take(*grant);
  }
  return keys;
}

// This node has come for them. If who gave them does not have the key that this node uses, it goes back to one of
// those until all have its own. One that is not clean is given by nobody, and is used until all have another.
void Adoption::TakeGrants(const AdoptionView& view, const std::vector<SessionGrant>& grants) {
  Keyring ring = With(RingOf(view), grants);
  const auto is_used = [&](const SessionGrant& grant) { return grant.session().key_id == ring.use; };
  if (std::ranges::any_of(CleanOf(ring, view.now).clean(), is_used) && std::ranges::none_of(grants, is_used)) {
    ring.use = grants.front().session().key_id;
  }
  ring_ = std::move(ring);
}

void Adoption::TakeKeys(const AdoptionView& view) {
  keys_ = roll_->belongs() ? CleanOf(*view.keyring, view.now) : SessionKeys();
  change_.Follow(view.now, keys_, *view.keyring, roll_->view().generation > 0);
  // Each node that has it asks: the one that made it may be gone.
  if (change_.coming() != 0 && ask_at_ == kNever) ask_at_ = view.now + kAskRenewAgain;
  if (!admits_ || keys_.seals() != nullptr) {
    make_key_at_ = kNever;
    renew_at_ = kNever;
  } else if (make_key_at_ == kNever) {
    make_key_at_ = keys_.make_at();
    renew_at_ = view.now + kRenewAfter;
  }
}

// A key of before there were records gets one. Under a roster none does: who was left out has it, too.
void Adoption::RecordKey(const AdoptionView& view) {
  if (!admits_ || roll_->view().generation > 0) return;
  Keyring ring = *view.keyring;
  const auto used = std::ranges::find(ring.keys, ring.use, &StoredKey::id);
  if (used == ring.keys.end() || !used->record.empty()) return;
  const std::optional<SessionGrant> made =
      keys_.Make(*roll_->key(), roll_->HeadFor(view.occasion), used->key, used->id);
  if (!made) return;
  used->record = made->record.Bytes();
  ring_ = std::move(ring);
}

absl::Status Adoption::MakeKey(const AdoptionView& view) {
  StoredKey key;
  do {
    key.id = absl::Uniform<uint32_t>(random_);
  } while (key.id == 0 || HasId(RingOf(view), key.id));
  Draw()(key.key);
  const std::optional<SessionGrant> made = keys_.Make(*roll_->key(), roll_->HeadFor(view.occasion), key.key, key.id);
  sodium_memzero(key.key.data(), key.key.size());
  if (!made) return absl::UnavailableError("no key could be made; try again");
  ring_ = With(RingOf(view), {*made});
  ask_at_ = view.now;
  make_key_at_ = kNever;
  renew_at_ = kNever;
  return absl::OkStatus();
}

absl::Status Adoption::Rotate(const AdoptionView& view, Actions* out) {
  if (!admits_) return NothingToGive();
  if (change_.coming() != 0 || keys_.seals() == nullptr) {
    return absl::FailedPreconditionError("another key is on its way; try again in a second");
  }
  for (const auto& [node, member] : view.roll.members->all()) {
    if (!member.present() || roll_->Knows(member)) continue;
    return absl::FailedPreconditionError(absl::StrCat("node ", member.hello.name(),
                                                      " does not belong to the cluster, and would not get the key: "
                                                      "`qurectl cluster enrol` takes it in; or stop it"));
  }
  absl::Status made = MakeKey(view);
  if (made.ok()) out->push_back(MakeLog(LogLevel::kInfo, "the cluster gets a new key"));
  return made;
}

// By the master alone, so that it is one key. What hinders it ends by itself, or is said by `key rotate`.
void Adoption::RotateIfDue(const AdoptionView& view, Actions* out) {
  if (view.rank == 0 && view.now < look_at_age_) return;
  look_at_age_ = view.now + kLookAtKeyAge;
  if (view.rank != 0) return;
  if (change_.coming() != 0 || keys_.seals() == nullptr) return;
  const auto is_missing = [&](const auto& each) {
    const Member* const member = view.roll.members->Find(each.second.node);
    const bool present = member != nullptr && member->present() && roll_->Knows(*member);
    return !present && !IsForgotten(each.second, *view.roll.members) && each.first != roll_->key()->public_key;
  };
  const bool whole = std::ranges::none_of(roll_->view().members, is_missing);
  const Session& used = keys_.seals()->session();
  if (!IsDueForChange(used, *roll_->records(), roll_->view(), view.occasion.uptime_ms, whole)) return;
  if (Rotate(view, out).ok()) look_at_age_ = view.now + kRotateAgain;
}

// Others tell a node that is there of a roster at once. One that learns of it late, with the key that was made since,
// cannot know who it was that it heard in between: the one that was expelled has the key before.
bool Adoption::WasAway(const AdoptionView& view, const RecordSet& records) const {
  uint32_t generation = roll_->view().generation;
  std::optional<uint64_t> made;
  for (const auto& [id, record] : records.rosters()) {
    const Roster& roster = *record.As<Roster>();
    if (roster.generation <= generation) continue;
    generation = roster.generation;
    made = roster.head.uptime_ms;
  }
  if (!made || Mutated(Mutation::kRejoinsAsItWas)) return false;
  const uint64_t uptime = view.occasion.uptime_ms;
  return uptime < *made || uptime - *made >= static_cast<uint64_t>(kRosterMissed.ns / Milliseconds(1).ns);
}

absl::Status Adoption::Revoke(const AdoptionView& view, const Record& roster, Actions* out) {
  if (!admits_) return NothingToGive();
  roll_->Proclaim(view.roll, roster, out);
  TakeKeys(view);
  return MakeKey(view);
}

// Who has not heard of another yet does not know; but under a key that is not clean there is nobody to wait for.
bool Adoption::AllHave(const AdoptionView& view, uint32_t key) const {
  const auto is_used = [&](const SessionGrant& grant) { return grant.session().key_id == view.keyring->use; };
  bool alone = roll_->view().members.size() > 1 && std::ranges::any_of(keys_.clean(), is_used);
  for (const auto& [node, member] : view.roll.members->all()) {
    if (!member.present() || !roll_->Knows(member)) continue;
    if (member.hello.newest_key() != key) return false;
    alone = false;
  }
  return !alone;
}

// Those that are present and lack it. Who does not hear this comes when it hears the key used.
void Adoption::AskOthers(const AdoptionView& view, Actions* out) {
  if (view.now < ask_at_) return;
  ask_at_ = change_.coming() == 0 ? kNever : view.now + kAskRenewAgain;
  if (ask_at_ == kNever) return;
  wire::Message message;
  message.mutable_ask_renew();
  for (const auto& [node, member] : view.roll.members->all()) {
    const bool lacks = member.hello.newest_key() != change_.coming();
    if (member.present() && roll_->Knows(member) && lacks) view.roll.transport->SendTo(member.at, message, out);
  }
}

bool Adoption::OnMessage(const AdoptionView& view, const Incoming& incoming) {
  if (!incoming.message.has_ask_renew()) return false;
  const Member* const member = view.roll.members->Find(incoming.node);
  if (member != nullptr && roll_->Knows(*member)) Renew(view, incoming.from.mac);
  return true;
}

// Any host of the LAN can send such an envelope: it is no reason for more than to ask now and then.
void Adoption::OnUnknownKey(const AdoptionView& view, const NodeId& sender) {
  if (!admits_ || Mutated(Mutation::kRenewNever)) return;
  const auto is_sender = [&](const auto& each) { return each.second.node == sender; };
  if (std::ranges::any_of(roll_->view().members, is_sender)) Renew(view, std::nullopt);
}

void Adoption::Renew(const AdoptionView& view, const std::optional<MacAddress>& whom) {
  if (!admits_ || (!whom && view.now < next_renewal_)) return;
  // One under way gives way to one that knows better whom to ask: if it asks everybody, or has come to nothing so far.
  if (renewal_ && renewal_->state() != CandidateState::kKeyed) {
    const bool young = view.now < renewal_ends_ - kRenewalPatience + kAskRenewAgain;
    if (!whom || renews_from_ == whom || (renews_from_ && young)) return;
  }
  renews_from_ = whom;
  std::set<PublicKey> heard;
  for (const auto& [identity, of] : roll_->view().members) {
    const Member* const member = view.roll.members->Find(of.node);
    if (member != nullptr && member->present()) heard.insert(identity);
  }
  renewal_.emplace(CandidateConfig{.identity = *roll_->key(),
                                   .node = view.facts->node_id,
                                   .boot = view.facts->boot_id,
                                   .mac = view.mac,
                                   .revision = view.facts->revision.substr(0, kMaxRevision),
                                   .name = view.facts->name,
                                   .cluster_name = std::nullopt,
                                   .want = roll_->records()->cluster(),
                                   .token = std::nullopt,
                                   .copy = std::nullopt,
                                   .known = *roll_->records(),
                                   .renews = true,
                                   .heard = std::move(heard),
                                   .ask = whom},
                   Draw(), random_, view.now);
  renewal_ends_ = view.now + kRenewalPatience;
  next_renewal_ = view.now + kRenewalPause;
}

void Adoption::TickKeys(const AdoptionView& view, Actions* out) {
  if (view.now >= renewal_ends_) {
    renewal_.reset();
    renewal_ends_ = kNever;
    first_renewal_ = false;
    if (keys_.seals() == nullptr) renew_at_ = view.now;
  }
  if (view.now >= renew_at_) {
    renew_at_ = kNever;
    Renew(view, std::nullopt);
  }
  if (view.now >= make_key_at_ && !ring_ && MakeKey(view).ok()) {
    out->push_back(MakeLog(LogLevel::kWarning, "no key that counts is known: the cluster gets a new one"));
  }
}

void Adoption::StepKeys(const AdoptionView& view, Actions* out) {
  if (!admits_ || ring_) return;
  RotateIfDue(view, out);
  if (ring_) return;
  AskOthers(view, out);
  ring_ = change_.Step(view.now, *view.keyring, change_.coming() != 0 && AllHave(view, change_.coming()));
}

void Adoption::LeaveIfExpelled(const AdoptionView& view, Actions* out) {
  if (!roll_->expelled() || view.keyring->keys.empty() || expelled_ || Mutated(Mutation::kExpelledStays)) return;
  expelled_ = true;
  out->push_back(MakeLog(LogLevel::kError,
                         "this node was revoked: it gives up the cluster's keys, and serves nothing until a node of "
                         "the cluster admits it again"));
  StoreChange change;
  change.keyring = Keyring();
  tickets_[view.roll.ledger->StoreLast(std::move(change), out)] = {Waits::kExpelled, 0};
}

}  // namespace qure::admission
