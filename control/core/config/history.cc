#include "control/core/config/history.h"

#include <algorithm>
#include <map>
#include <utility>

namespace qure::clusterconfig {
namespace {

using Fate = PastVersion::Fate;

// `aside`: what is in effect was not made from these.
Fate FateOf(const Ledger& ledger, const Version& version, Stage stage, const std::vector<Version>& aside) {
  if (stage == Stage::kOpen) return Fate::kOpen;
  if (stage == Stage::kExpired) return ledger.WasInEffect(version) ? Fate::kRolledBack : Fate::kGivenUp;
  return std::ranges::find(aside, version) == aside.end() ? Fate::kConfirmed : Fate::kLost;
}

}  // namespace

std::string_view NameOf(PastVersion::Fate fate) {
  switch (fate) {
    case PastVersion::Fate::kOpen:
      return "open";
    case PastVersion::Fate::kConfirmed:
      return "confirmed";
    case PastVersion::Fate::kLost:
      return "lost";
    case PastVersion::Fate::kRolledBack:
      return "rolled back";
    case PastVersion::Fate::kGivenUp:
      return "given up";
  }
  return "";
}

std::vector<PastVersion> HistoryOf(const Ledger& ledger) {
  std::vector<PastVersion> history;
  const std::optional<Version> in_effect = ledger.stages().InEffect();
  const std::vector<Version> aside = ledger.Aside();
  std::optional<Digest> text;  // of the last number
  uint32_t number = 0;
  const std::map<Version, Stage>& stages = ledger.stages().stages();
  for (auto it = stages.rbegin(); it != stages.rend(); ++it) {
    const auto& [version, stage] = *it;
    const admission::ConfigEntry* const entry = ledger.Entry(version);
    if (stage == Stage::kPrepared || entry == nullptr) continue;
    PastVersion past{.version = version,
                     .fate = FateOf(ledger, version, stage, aside),
                     .number = std::nullopt,
                     .body = ledger.BodyOf(entry->body)};
    if (version == in_effect || past.fate == Fate::kConfirmed) {
      if (text && text != entry->body) ++number;
      text = entry->body;
      past.number = number;
    }
    history.push_back(std::move(past));
  }
  return history;
}

}  // namespace qure::clusterconfig
