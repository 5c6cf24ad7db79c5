#include "control/core/config/stage_map.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "control/core/admission/signing.h"
#include "proto/mutation.h"

namespace qure::clusterconfig {
namespace {

int RankOf(Stage stage) {
  if (Mutated(Mutation::kConfigExpiredWins) && stage == Stage::kExpired) return kLastStage + 1;
  return static_cast<int>(stage);
}

bool IsInEffect(Stage stage) {
  return stage == Stage::kOpen || stage == Stage::kConfirmed;
}

// The greatest version that is `wanted`.
template <typename Wanted>
std::optional<Version> Greatest(const std::map<Version, Stage>& stages, Wanted wanted) {
  const auto found = std::find_if(stages.rbegin(), stages.rend(), wanted);
  return found == stages.rend() ? std::nullopt : std::optional(found->first);
}

}  // namespace

std::string_view NameOf(Stage stage) {
  switch (stage) {
    case Stage::kNone:
      return "unknown";
    case Stage::kPrepared:
      return "prepared";
    case Stage::kOpen:
      return "open";
    case Stage::kExpired:
      return "rolled back";
    case Stage::kConfirmed:
      return "confirmed";
  }
  return "";
}

Stage StageMap::Of(const Version& version) const {
  const auto found = stages_.find(version);
  return found == stages_.end() ? Stage::kNone : found->second;
}

bool StageMap::Raise(const Version& version, Stage stage) {
  if (RankOf(stage) <= RankOf(Of(version))) return false;
  stages_[version] = stage;
  Bound();
  return true;
}

void StageMap::Merge(const StageMap& other) {
  for (const auto& [version, stage] : other.stages_) {
    Stage& here = stages_[version];
    if (RankOf(stage) > RankOf(here)) here = stage;
  }
  Bound();
}

void StageMap::Unconfirm(const Version& version) {
  const auto found = stages_.find(version);
  if (found != stages_.end() && found->second == Stage::kConfirmed) found->second = Stage::kExpired;
}

void StageMap::Bound() {
  if (stages_.size() <= kVersionsKept) return;
  const std::optional<Version> confirmed = GreatestConfirmed();
  const auto kept = std::prev(stages_.end(), kVersionsKept);
  for (auto it = stages_.begin(); it != kept;) it = it->first == confirmed ? std::next(it) : stages_.erase(it);
}

std::optional<Version> StageMap::InEffect() const {
  return Greatest(stages_, [](const auto& each) { return IsInEffect(each.second); });
}

std::optional<Version> StageMap::GreatestConfirmed() const {
  return Greatest(stages_, [](const auto& each) { return each.second == Stage::kConfirmed; });
}

std::optional<Version> StageMap::Pending(const std::optional<Version>& except) const {
  const std::optional<Version> pending = Greatest(stages_, [&](const auto& each) {
    return each.first != except && (each.second == Stage::kPrepared || each.second == Stage::kOpen);
  });
  return pending && pending < GreatestConfirmed() ? std::nullopt : pending;
}

uint64_t StageMap::GreatestOf(const Term& term) const {
  const auto above = stages_.lower_bound({.term = term, .n = UINT64_MAX, .check = UINT64_MAX});
  if (above == stages_.begin()) return 0;
  const Version& greatest = std::prev(above)->first;
  return greatest.term == term ? greatest.n : 0;
}

uint64_t StageMap::Digest() const {
  std::vector<uint8_t> bytes;
  for (const auto& [version, stage] : stages_) {
    const std::vector<uint8_t> of_it = admission::ToBytes(version);
    bytes.insert(bytes.end(), of_it.begin(), of_it.end());
    bytes.push_back(static_cast<uint8_t>(stage));
  }
  const admission::Digest digest = admission::Hash("qure config map 1", {bytes});
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(value); ++i) value = value << 8 | digest[i];
  return value;
}

std::vector<Version> Lost(const StageMap& map, absl::FunctionRef<std::optional<Version>(const Version&)> base_of,
                          absl::FunctionRef<bool(const Version&)> shown) {
  std::set<Version> made_from;
  Version oldest;
  for (std::optional<Version> next = map.InEffect(); next; next = base_of(*next)) {
    made_from.insert(*next);
    oldest = *next;
  }
  std::vector<Version> lost;
  for (auto it = map.stages().rbegin(); it != map.stages().rend() && it->first > oldest; ++it) {
    if (it->second != Stage::kPrepared && !made_from.contains(it->first) && shown(it->first)) lost.push_back(it->first);
  }
  return lost;
}

}  // namespace qure::clusterconfig
