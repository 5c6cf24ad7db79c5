// How far each version of the configuration has come, as a node knows it, and which one is in effect: no quorum, no
// clock, no order. Two nodes that meet take the greater stage of each version. This is total, commutative, associative,
// idempotent and monotone, also within its bound, so nodes that can talk to each other end with equal maps, whatever
// parted them. docs/decisions/0024 says why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "control/core/admission/records.h"

namespace qure::clusterconfig {

using Version = admission::ConfigVersion;

// Ascending: the greater one counts. `expired` is above `open`, so that one node that rolled a change back ends it
// everywhere; `confirmed` is above all, so that a confirmation in time is never undone by a node that did not hear it.
enum class Stage : uint8_t {
  kNone = 0,       // not known
  kPrepared = 1,   // the node can apply it; nothing is applied
  kOpen = 2,       // in effect until its deadline
  kExpired = 3,    // given up, or not confirmed in time
  kConfirmed = 4,  // in effect for good
};
inline constexpr uint8_t kLastStage = 4;
std::string_view NameOf(Stage stage);

inline constexpr size_t kVersionsKept = 64;  // the greatest; and the greatest that is confirmed, wherever it is

class StageMap {
 public:
  Stage Of(const Version& version) const;
  // To `stage` if that is greater; false: nothing has changed. The version may be dropped by the bound at once.
  bool Raise(const Version& version, Stage stage);
  // The union, with the greater stage of each.
  void Merge(const StageMap& other);
  // Its entry has no effect any more: its signer was expelled. Otherwise nothing but the bound takes a version away.
  void Remove(const Version& version) { stages_.erase(version); }
  // A confirmation has no effect any more.
  void Unconfirm(const Version& version);

  // The greatest that is open or confirmed.
  std::optional<Version> InEffect() const;
  std::optional<Version> GreatestConfirmed() const;
  // The greatest but `except` that is prepared or open, and not below what is confirmed: no other change may begin.
  std::optional<Version> Pending(const std::optional<Version>& except = std::nullopt) const;
  // The greatest n of a term; 0: none.
  uint64_t GreatestOf(const Term& term) const;

  const std::map<Version, Stage>& stages() const { return stages_; }
  // Equal maps have equal digests.
  uint64_t Digest() const;

  friend bool operator==(const StageMap&, const StageMap&) = default;

 private:
  void Bound();

  std::map<Version, Stage> stages_;  // never kNone
};

// What an operator has to know of, greatest first: was open or confirmed, is not in effect, and what is in effect was
// not made from it. `base_of`: what a version was made from, if its entry is known. `shown`: was in effect at this
// node, and is not acknowledged. What is older than all that is known of how the configuration in effect was made is
// not listed.
std::vector<Version> Lost(const StageMap& map, absl::FunctionRef<std::optional<Version>(const Version&)> base_of,
                          absl::FunctionRef<bool(const Version&)> shown);

}  // namespace qure::clusterconfig
