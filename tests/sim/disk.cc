#include "tests/sim/disk.h"

#include <algorithm>

#include "control/core/admission/handshake.h"
#include "control/core/timers.h"

namespace qure::sim {
namespace {

bool SameEvent(const HistoryEvent& a, const HistoryEvent& b) {
  return a.node == b.node && a.age == b.age && a.seq == b.seq;
}

void ApplyTo(const StoreChange& change, StoredState* state) {
  if (change.life) state->life = *change.life;
  if (change.epochs) state->epochs = *change.epochs;
  if (change.keyring) state->keyring = *change.keyring;
  if (change.maintenance) state->maintenance = *change.maintenance;
  if (change.records) state->records = *change.records;
  for (const HistoryEvent& event : change.events) {
    const bool known = std::ranges::any_of(state->events, [&](const auto& e) { return SameEvent(e, event); });
    if (!known) state->events.push_back(event);
  }
  for (const EraSummary& summary : change.summaries) {
    std::erase_if(state->summaries,
                  [&](const auto& s) { return s.era == summary.era && s.lineage == summary.lineage; });
    state->summaries.push_back(summary);
  }
  if (change.drop_events_before_era == kEraLimit) state->summaries.clear();
  if (change.drop_events_before_era) {
    std::erase_if(state->events, [&](const auto& e) {
      const uint32_t era = *change.drop_events_before_era;
      return e.era < era || (e.era == era && e.time < change.drop_events_before_time);
    });
  }
}

}  // namespace

StoredState Disk::Boot(std::string_view revision, const MacAddress& hardware) {
  Image now = image_;
  ++now.age;
  StoredState state = now.state;
  state.config = now.config.Read();
  state.age = now.age;
  state.revision = now.revision;
  if (now.revision != revision) now.age_at_revision = now.age;
  now.revision = revision;
  state.age_at_revision = now.age_at_revision;
  if (!now.hardware) now.hardware = hardware;
  state.hardware_changed = now.hardware != hardware;
  now.state.lost = false;
  if (!full_) image_ = now;
  return state;
}

bool Disk::Apply(const StoreChange& change) {
  if (full_) return false;
  before_last_ = image_;
  if (change.age) image_.age = *change.age;
  ApplyTo(change, &image_.state);
  if (change.config) image_.config.Write(*change.config);
  return true;
}

void Disk::DrawIdentity(const NodeId& drawn) {
  admission::Seed seed{};
  std::ranges::copy(drawn, seed.begin());
  image_.state.identity = seed;
  image_.state.node_id = admission::NodeIdOf(admission::SigningKeyOf(seed).public_key);
}

void Disk::TakeNewIdentity(const NodeId& drawn) {
  const admission::SigningKey before = admission::SigningKeyOf(identity());
  DrawIdentity(drawn);
  image_.state.copy_of = {.identity = before.public_key,
                          .signature = admission::SignCopy(before, admission::SigningKeyOf(identity()).public_key)};
  if (!image_.state.records.empty()) image_.state.keyring.keys.clear();
  image_.age = 0;
  image_.state.epochs = {};
  image_.hardware.reset();
}

void Disk::BeginAnew(const NodeId& drawn) {
  image_ = {};
  DrawIdentity(drawn);
  before_last_.reset();
}

void Disk::Lose(const NodeId& fresh) {
  BeginAnew(fresh);
  image_.state.lost = true;
}

bool Disk::RollBack() {
  if (!kept_) return false;
  image_ = *kept_;
  before_last_.reset();
  return true;
}

void Disk::TearLast() {
  if (before_last_) image_ = *before_last_;
}

}  // namespace qure::sim
