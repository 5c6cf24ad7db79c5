#include "control/core/config/ledger.h"

#include <algorithm>
#include <memory>

#include "proto/check.h"
#include "proto/mutation.h"

namespace qure::clusterconfig {
namespace {

bool IsInEffect(Stage stage) {
  return stage == Stage::kOpen || stage == Stage::kConfirmed;
}

}  // namespace

Ledger::Ledger(const StoredConfig& stored, const admission::PublicKey& recovery) {
  for (const StoredVersion& each : stored.versions) {
    std::optional<admission::Record> entry = ReadEntry(each.entry, recovery);
    if (!entry) continue;
    const Version version = EntryOf(*entry).version;
    Item item{.entry = *std::move(entry),
              .confirm = ReadConfirm(each.confirm, recovery),
              .was_in_effect = each.was_in_effect,
              .acknowledged = each.acknowledged};
    if (item.confirm && item.confirm->As<admission::ConfigConfirm>()->version != version) item.confirm.reset();
    Stage stage = each.stage;
    if (stage == Stage::kConfirmed && !item.confirm) stage = Stage::kExpired;
    item.saving = item.durable = stage;
    const bool pending = stage == Stage::kPrepared || stage == Stage::kOpen;
    if (pending && !Mutated(Mutation::kConfigRestartKeepsOpen)) stage = Stage::kExpired;
    items_.insert_or_assign(version, std::move(item));
    if (stage != each.stage) dirty_.insert(version);
    stages_.Raise(version, stage);
  }
  for (const std::string& body : stored.bodies) {
    bodies_.emplace(DigestOf(body),
                    Held{.body = std::make_shared<const std::string>(body), .where = Held::Where::kStore});
  }
  FollowStages();
}

const Ledger::Item* Ledger::Find(const Version& version) const {
  const auto found = items_.find(version);
  if (found != items_.end()) return &found->second;
  const auto learned = learned_.find(version);
  return learned == learned_.end() ? nullptr : &learned->second;
}

const admission::Record* Ledger::EntryRecord(const Version& version) const {
  const Item* const item = Find(version);
  return item == nullptr ? nullptr : &item->entry;
}

const admission::ConfigEntry* Ledger::Entry(const Version& version) const {
  const admission::Record* const record = EntryRecord(version);
  return record == nullptr ? nullptr : &EntryOf(*record);
}

const admission::Record* Ledger::Confirmation(const Version& version) const {
  const Item* const item = Find(version);
  return item == nullptr || !item->confirm ? nullptr : &*item->confirm;
}

void Ledger::Learn(const admission::Record& entry) {
  const Version& version = EntryOf(entry).version;
  if (Find(version) != nullptr) return;
  learned_.emplace(version, Item{.entry = entry});
  if (learned_.size() > kVersionsKept) learned_.erase(learned_.begin());
}

void Ledger::LearnConfirmation(const admission::Record& confirm) {
  const Version& version = confirm.As<admission::ConfigConfirm>()->version;
  for (std::map<Version, Item>* const items : {&items_, &learned_}) {
    const auto found = items->find(version);
    if (found != items->end() && !found->second.confirm) found->second.confirm = confirm;
  }
}

bool Ledger::HasEvidence(const Version& version, Stage stage) const {
  const Item* const item = Find(version);
  return item != nullptr && (stage != Stage::kConfirmed || item->confirm);
}

bool Ledger::Raise(const Version& version, Stage stage) {
  StageMap one;
  one.Raise(version, stage);
  return !Merge(one).empty();
}

std::vector<Version> Ledger::Merge(const StageMap& other) {
  const StageMap before = stages_;
  stages_.Merge(other);
  std::vector<Version> changed;
  for (const auto& [version, stage] : stages_.stages()) {
    if (stage == before.Of(version)) continue;
    QURE_CHECK(HasEvidence(version, stage), ToText(version), static_cast<int>(stage));
    if (const auto learned = learned_.find(version); learned != learned_.end()) {
      items_.insert_or_assign(version, std::move(learned->second));
      learned_.erase(learned);
    }
    Item& item = items_.at(version);
    item.was_in_effect = item.was_in_effect || IsInEffect(stage);
    item.deadline = kNever;
    dirty_.insert(version);
    changed.push_back(version);
  }
  FollowStages();
  return changed;
}

void Ledger::Filter(const Signers& signers) {
  std::erase_if(learned_, [&](const auto& each) { return !signers.MayNumber(each.second.entry); });
  for (auto& [version, item] : items_) {
    if (!signers.MayNumber(item.entry)) {
      stages_.Remove(version);
    } else if (item.confirm && !signers.Counts(*item.confirm)) {
      item.confirm.reset();
      stages_.Unconfirm(version);
      dirty_.insert(version);
    }
  }
  FollowStages();
}

void Ledger::FollowStages() {
  std::set<Digest> used;
  for (auto it = items_.begin(); it != items_.end();) {
    if (stages_.Of(it->first) == Stage::kNone) {
      dropped_.insert(it->first);
      dirty_.erase(it->first);
      it = items_.erase(it);
    } else {
      dropped_.erase(it->first);
      used.insert(EntryOf(it->second.entry).body);
      ++it;
    }
  }
  std::erase_if(bodies_, [&](const auto& each) {
    const bool unused = !used.contains(each.first);
    if (unused) dropped_bodies_.insert(each.first);
    return unused;
  });
}

MonoTime Ledger::DeadlineOf(const Version& version) const {
  const auto found = items_.find(version);
  return found == items_.end() ? kNever : found->second.deadline;
}

void Ledger::SetDeadline(const Version& version, MonoTime deadline) {
  const auto found = items_.find(version);
  if (found != items_.end()) found->second.deadline = deadline;
}

std::vector<Version> Ledger::Overdue(MonoTime now) const {
  std::vector<Version> overdue;
  for (const auto& [version, item] : items_) {
    if (item.deadline <= now) overdue.push_back(version);
  }
  return overdue;
}

MonoTime Ledger::NextDeadline() const {
  MonoTime next = kNever;
  for (const auto& [version, item] : items_) next = std::min(next, item.deadline);
  return next;
}

void Ledger::AddBody(const Digest& digest, Body body) {
  const bool used =
      std::ranges::any_of(items_, [&](const auto& each) { return EntryOf(each.second.entry).body == digest; });
  if (!used || bodies_.contains(digest)) return;
  bodies_.emplace(digest, Held{.body = std::move(body)});
  dropped_bodies_.erase(digest);
}

Body Ledger::BodyOf(const Digest& digest) const {
  const auto found = bodies_.find(digest);
  return found == bodies_.end() ? nullptr : found->second.body;
}

bool Ledger::MayRun(const Item& item, Stage stage) const {
  const auto body = bodies_.find(EntryOf(item.entry).body);
  if (body == bodies_.end() || !IsInEffect(stage)) return false;
  if (Mutated(Mutation::kConfigApplyEarly)) return true;
  return IsInEffect(item.durable) && body->second.where == Held::Where::kStore;
}

std::optional<Version> Ledger::Runnable() const {
  const auto found = std::find_if(items_.rbegin(), items_.rend(),
                                  [&](const auto& each) { return MayRun(each.second, stages_.Of(each.first)); });
  return found == items_.rend() ? std::nullopt : std::optional(found->first);
}

void Ledger::Acknowledge() {
  for (const Version& version : Lost()) {
    items_.at(version).acknowledged = true;
    dirty_.insert(version);
  }
}

std::optional<Version> Ledger::BaseOf(const Version& version) const {
  const admission::ConfigEntry* const entry = Entry(version);
  return entry == nullptr ? std::nullopt : std::optional(entry->base);
}

std::vector<Version> Ledger::Lost() const {
  const auto shown = [&](const Version& version) {
    const Item& item = items_.at(version);
    return item.was_in_effect && !item.acknowledged;
  };
  return clusterconfig::Lost(
      stages_, [&](const Version& version) { return BaseOf(version); }, shown);
}

std::vector<Version> Ledger::Aside() const {
  return clusterconfig::Lost(
      stages_, [&](const Version& version) { return BaseOf(version); }, [](const Version&) { return true; });
}

bool Ledger::WasInEffect(const Version& version) const {
  const auto found = items_.find(version);
  return found != items_.end() && found->second.was_in_effect;
}

bool Ledger::IsDirty() const {
  return !dirty_.empty() || !dropped_.empty() || !dropped_bodies_.empty() ||
         std::ranges::any_of(bodies_, [](const auto& each) { return each.second.where == Held::Where::kMemory; });
}

std::optional<Save> Ledger::TakeSave() {
  if (save_ || !IsDirty()) return std::nullopt;
  Save save{.ticket = ++ticket_,
            .drop = {dropped_.begin(), dropped_.end()},
            .drop_bodies = {dropped_bodies_.begin(), dropped_bodies_.end()}};
  for (const Version& version : dirty_) {
    Item& item = items_.at(version);
    item.saving = stages_.Of(version);
    save.put.emplace_back(version,
                          StoredVersion{.entry = item.entry.Bytes(),
                                        .confirm = item.confirm ? item.confirm->Bytes() : std::vector<uint8_t>(),
                                        .stage = item.saving,
                                        .was_in_effect = item.was_in_effect,
                                        .acknowledged = item.acknowledged});
  }
  for (auto& [digest, held] : bodies_) {
    if (held.where != Held::Where::kMemory) continue;
    held.where = Held::Where::kSaving;
    save.put_bodies.emplace_back(digest, held.body);
  }
  dirty_.clear();
  dropped_.clear();
  dropped_bodies_.clear();
  save_ = save;
  return save;
}

std::vector<std::pair<Version, Stage>> Ledger::OnSaved(uint64_t ticket, bool ok) {
  std::vector<std::pair<Version, Stage>> reached;
  if (!save_ || save_->ticket != ticket) return reached;
  const Save save = *std::exchange(save_, std::nullopt);
  for (const auto& [version, stored] : save.put) {
    const auto item = items_.find(version);
    if (item == items_.end()) continue;
    if (!ok) {
      dirty_.insert(version);
    } else if (item->second.durable != item->second.saving) {
      item->second.durable = item->second.saving;
      reached.emplace_back(version, item->second.durable);
    }
  }
  for (const auto& [digest, body] : save.put_bodies) {
    const auto held = bodies_.find(digest);
    if (held == bodies_.end() || held->second.where != Held::Where::kSaving) continue;
    held->second.where = ok ? Held::Where::kStore : Held::Where::kMemory;
  }
  if (ok) return reached;
  for (const Version& version : save.drop) {
    if (!items_.contains(version)) dropped_.insert(version);
  }
  for (const Digest& digest : save.drop_bodies) {
    if (!bodies_.contains(digest)) dropped_bodies_.insert(digest);
  }
  return reached;
}

}  // namespace qure::clusterconfig
