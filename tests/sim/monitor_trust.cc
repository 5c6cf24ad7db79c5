// The part of the monitor that watches who belongs to the cluster: what thieves get, and what they bring about.
#include <algorithm>
#include <ranges>
#include <variant>

#include "absl/strings/str_cat.h"
#include "control/core/config/entry.h"
#include "tests/sim/monitor.h"
#include "tests/sim/thieves.h"

namespace qure::sim {
namespace {

// From the roster to the last key of before: a key is made after 0.6 s at the latest, others are waited for for 2 s,
// and the old one opens for 2 s more.
constexpr Duration kCleanWithin = Milliseconds(4900);
constexpr Duration kForgets = Seconds(2);  // what was believed of a node before it was heard no more
constexpr Duration kSaidLately = Seconds(2);
constexpr Duration kInterval = Milliseconds(50);

}  // namespace

void Monitor::CheckRevoked(MonoTime now) {
  if (now.ns % kInterval.ns != 0) return;
  NoteKeys();
  for (size_t i = 0; i < trust_.size(); ++i) FollowRosters(now, i);
  for (size_t i = 0; i < trust_.size(); ++i) {
    if (!trust_[i].rosters || trust_[i].reported) continue;
    CheckKeys(now, i);
    CheckEffects(now, i);
  }
  CheckSecrets(now);
}

// Which rosters the session keys on all disks were made for, by their records.
void Monitor::NoteKeys() {
  for (const auto& node : *nodes_) {
    const StoredState& disk = node->disk().state();
    for (const StoredKey& key : disk.keyring.keys) {
      if (key.record.empty() || made_for_.contains({key.id, key.key}) || disk.records.empty()) continue;
      const auto read = admission::Record::Read(key.record, {});
      const auto* record = std::get_if<admission::Record>(&read);
      const auto* session = record == nullptr ? nullptr : record->As<admission::Session>();
      if (session != nullptr) made_for_[{key.id, key.key}] = session->rosters;
    }
  }
}

void Monitor::FollowRosters(MonoTime now, size_t index) {
  const Node& node = *(*nodes_)[index];
  TrustView& trust = trust_[index];
  const admission::View* view = node.running() ? &node.controller()->roll().view() : nullptr;
  const bool belongs = view != nullptr && node.controller()->roll().belongs();
  const auto out = [&](const admission::PublicKey& identity) { return !view->members.contains(identity); };
  if (!belongs || view->generation == 0 || revoked_.empty() || !std::ranges::all_of(revoked_, out)) {
    trust.rosters.reset();
    return;
  }
  rosters_since_.insert(view->rosters);
  if (trust.rosters != view->rosters) {
    Trace(now, absl::StrCat(Name(index), ": knows who is revoked"));
    trust = {.rosters = view->rosters, .clean_by = now + kCleanWithin, .clean_since = kNever};
  }
  // It needs its threads for that.
  if (!node.Healthy(now)) trust.clean_by = now + kCleanWithin;
}

// A key of before opens for a moment longer, and then no more.
void Monitor::CheckKeys(MonoTime now, size_t index) {
  const Node& node = *(*nodes_)[index];
  TrustView& trust = trust_[index];
  const std::vector<StoredKey>& disk = node.disk().state().keyring.keys;
  bool clean = true;
  for (const uint32_t id : node.Status(now).key_ids) {
    const auto key = std::ranges::find(disk, id, &StoredKey::id);
    if (key == disk.end()) continue;  // on its way to the disk
    const auto made = made_for_.find({id, key->key});
    clean = clean && made != made_for_.end() && made->second == *trust.rosters;
  }
  if (clean) {
    if (trust.clean_since == kNever) trust.clean_since = now;
    return;
  }
  trust.clean_since = kNever;
  if (now <= trust.clean_by) return;
  trust.reported = true;
  Violate(now, Invariant::kRevoked, absl::StrCat(Name(index), " keeps a key of before the roster"));
}

MonoTime Monitor::CleanSince() const {
  MonoTime since;
  for (const auto& node : *nodes_) {
    const TrustView& trust = trust_[node->index()];
    if (node->running() && node->controller()->roll().belongs()) since = std::max(since, trust.clean_since);
  }
  return since;
}

void Monitor::CheckEffects(MonoTime now, size_t index) {
  TrustView& trust = trust_[index];
  const ControllerStatus status = (*nodes_)[index]->Status(now);
  const size_t before = violations_.size();
  for (const admission::RollStatus::Row& row : status.roll.nodes) {
    if (thief_ == nullptr || !thief_->accomplices().contains(row.identity) || taken_in_.contains(row.identity))
      continue;
    Violate(now, Invariant::kRevoked, absl::StrCat(Name(index), " takes whom a thief has admitted for a member"));
  }
  const clusterconfig::Holder* const holder = (*nodes_)[index]->controller()->shared_config().holder();
  if (holder != nullptr) {
    const admission::ConfigEntry* const entry = holder->ledger().Entry(holder->running());
    if (entry != nullptr && revoked_.contains(entry->signer) && trust.clean_since < now - kForgets) {
      Violate(now, Invariant::kRevoked, absl::StrCat(Name(index), " runs what a revoked node has numbered"));
    }
  }
  if (trust.clean_since < now - kForgets) CheckForged(now, index, status);
  trust.reported = violations_.size() > before;
}

// What cannot come from anybody but a thief.
void Monitor::CheckForged(MonoTime now, size_t index, const ControllerStatus& status) {
  const auto foreign = [&](const NodeId& node) {
    const auto is_it = [&](const admission::PublicKey& identity) { return admission::NodeIdOf(identity) == node; };
    return std::ranges::any_of(revoked_, is_it) || (thief_ != nullptr && thief_->IsInvented(node));
  };
  if (status.master && foreign(*status.master)) {
    Violate(now, Invariant::kRevoked, absl::StrCat(Name(index), " follows one who is revoked"));
  }
  for (const NodeRow& row : status.nodes) {
    if (!IsPresent(row.state) || !foreign(row.node)) continue;
    Violate(now, Invariant::kRevoked, absl::StrCat(Name(index), " takes one who is revoked for a node that is there"));
  }
  // A node that did not know may have believed it, and tell so.
  const MonoTime since = CleanSince();
  if (since == kNever) return;
  for (const auto& said : {Thief::SaidAt(status.term), Thief::SaidAt(status.era)}) {
    if (!said || *said < since + kSaidLately) continue;
    Violate(now, Invariant::kRevoked, absl::StrCat(Name(index), " believes what a thief says of terms"));
  }
}

// No revoked one, and nobody whom no member has admitted, has a key that was made since.
void Monitor::CheckSecrets(MonoTime now) {
  for (const auto& node : *nodes_) {
    const StoredState& disk = node->disk().state();
    if (!disk.identity || trust_[node->index()].reported) continue;
    if (!revoked_.contains(admission::SigningKeyOf(*disk.identity).public_key)) continue;
    for (const StoredKey& key : disk.keyring.keys) {
      const auto made = made_for_.find({key.id, key.key});
      if (made == made_for_.end() || !rosters_since_.contains(made->second)) continue;
      trust_[node->index()].reported = true;
      Violate(now, Invariant::kRevoked, absl::StrCat(Name(node->index()), " is revoked, and has a key made since"));
    }
  }
  if (thief_ == nullptr || thief_reported_) return;
  const auto since = [&](const admission::SessionGrant& grant) {
    return rosters_since_.contains(grant.session().rosters);
  };
  thief_reported_ = thief_->admitted() || std::ranges::any_of(thief_->given(), since);
  if (!thief_reported_) return;
  Violate(now, Invariant::kRevoked,
          thief_->admitted() ? "a thief was taken in whom nobody has named" : "a thief was given a key made since");
}

// A node that is to join one cluster has joined no other.
void Monitor::CheckWanted(MonoTime now, size_t index) {
  const Node& node = *(*nodes_)[index];
  if (thief_ == nullptr || !thief_->own_cluster() || !node.running()) return;
  const std::optional<JoinConfig>& join = node.setup().config.network.join;
  const admission::RecordSet* const records = node.controller()->roll().records();
  if (!join || records == nullptr || records->cluster() != thief_->own_cluster() || trust_[index].reported) return;
  if (!join->cluster && !join->token) return;
  trust_[index].reported = true;
  Violate(now, Invariant::kWanted, absl::StrCat(Name(index), " has joined another cluster than the one it wants"));
}

void Monitor::CountAdoption(MonoTime now, size_t node) {
  auto& [second, count] = adoption_frames_[node];
  if (const int64_t present = now.ns / Seconds(1).ns; present != second) {
    second = present;
    count = 0;
  }
  ++count;
  most_adoption_frames_ = std::max(most_adoption_frames_, count);
  if (count != expect.adoption_frames + 1) return;
  Violate(now, Invariant::kAdoption,
          absl::StrCat(Name(node), " sends more than ", expect.adoption_frames, " frames of adoption in a second"));
}

}  // namespace qure::sim
