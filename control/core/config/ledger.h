// All that a node knows about versions of the configuration, and how much of it is durable: the stages, the records
// that they rest on, and the bodies. It says what may run: only what is durable, so that a node that was killed never
// comes up without what it ran before.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/core/config/entry.h"
#include "control/core/config/messages.h"
#include "control/core/config/stage_map.h"
#include "proto/time.h"

namespace qure::clusterconfig {

class Ledger {
 public:
  // What does not read as sound records is left out. What was prepared or open expires: a restart is a verdict.
  Ledger(const StoredConfig& stored, const admission::PublicKey& recovery);

  const StageMap& stages() const { return stages_; }
  // Null: not known.
  const admission::Record* EntryRecord(const Version& version) const;
  const admission::ConfigEntry* Entry(const Version& version) const;
  // Null: it is not confirmed, or not known.
  const admission::Record* Confirmation(const Version& version) const;

  // Records that may be needed: the greatest kVersionsKept without a stage are kept, in memory alone.
  void Learn(const admission::Record& entry);
  // Of a version whose entry is known.
  void LearnConfirmation(const admission::Record& confirm);
  // Whether `stage` of `version` may be taken: its entry is here and, if it is confirmed, its confirmation.
  bool HasEvidence(const Version& version, Stage stage) const;

  // To `stage`, of which there is evidence. False: nothing has changed.
  bool Raise(const Version& version, Stage stage);
  // All at once. The versions that have changed.
  std::vector<Version> Merge(const StageMap& other);
  // Takes out what signers that do not count have made.
  void Filter(const Signers& signers);

  // When the node ends a prepared or open version by itself; kNever: not at all.
  MonoTime DeadlineOf(const Version& version) const;
  void SetDeadline(const Version& version, MonoTime deadline);
  // The open and prepared versions whose deadline is over; of the others the next.
  std::vector<Version> Overdue(MonoTime now) const;
  MonoTime NextDeadline() const;

  // Kept while an entry of the map names it.
  void AddBody(const Digest& digest, Body body);
  // Null: not here.
  Body BodyOf(const Digest& digest) const;
  // The greatest version that is in effect, durably, with its body.
  std::optional<Version> Runnable() const;

  void Acknowledge();
  // Greatest first: clusterconfig::Lost.
  std::vector<Version> Lost() const;
  // The same, also of what was not in effect here or is acknowledged.
  std::vector<Version> Aside() const;
  bool WasInEffect(const Version& version) const;  // at this node

  // What has changed since the last one, if none is under way.
  std::optional<Save> TakeSave();
  // Ticket and answer of the one under way. The stages that are durable now and were not. Not ok: all of it is in the
  // next one.
  std::vector<std::pair<Version, Stage>> OnSaved(uint64_t ticket, bool ok);
  bool all_durable() const { return !save_ && !IsDirty(); }

 private:
  struct Item {
    admission::Record entry;
    std::optional<admission::Record> confirm;
    Stage saving = Stage::kNone;
    Stage durable = Stage::kNone;
    bool was_in_effect = false;
    bool acknowledged = false;
    MonoTime deadline = kNever;
  };
  struct Held {
    enum class Where : uint8_t { kMemory, kSaving, kStore };
    Body body;
    Where where = Where::kMemory;
  };

  const Item* Find(const Version& version) const;
  std::optional<Version> BaseOf(const Version& version) const;
  // Items follow the map, bodies the items.
  void FollowStages();
  bool IsDirty() const;
  bool MayRun(const Item& item, Stage stage) const;

  StageMap stages_;
  std::map<Version, Item> items_;    // of each version in stages_
  std::map<Version, Item> learned_;  // of others
  std::map<Digest, Held> bodies_;
  std::set<Version> dirty_;  // to be stored, and to be taken from the store
  std::set<Version> dropped_;
  std::set<Digest> dropped_bodies_;
  std::optional<Save> save_;  // under way
  uint64_t ticket_ = 0;
};

}  // namespace qure::clusterconfig
