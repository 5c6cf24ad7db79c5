// The versions that operators can look back at and return to, as a node knows them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "control/core/config/effects.h"
#include "control/core/config/ledger.h"
#include "control/core/config/stage_map.h"

namespace qure::clusterconfig {

struct PastVersion {
  enum class Fate : uint8_t {
    kOpen,
    kConfirmed,
    kLost,        // confirmed, and what is in effect was not made from it
    kRolledBack,  // was open at this node
    kGivenUp,     // was never in effect at this node
  };
  Version version;
  Fate fate = Fate::kConfirmed;
  // How many texts ago it was in effect; 0: it is. Versions with one text, one after the other, have one number, since
  // the master numbers what is in effect anew at times. None: it is not one of those that this was made from.
  std::optional<uint32_t> number;
  Body body;  // null: not at this node
};
std::string_view NameOf(PastVersion::Fate fate);

// Greatest first. What is still being prepared is not among them.
std::vector<PastVersion> HistoryOf(const Ledger& ledger);

}  // namespace qure::clusterconfig
