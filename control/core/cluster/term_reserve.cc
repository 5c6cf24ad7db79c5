#include "control/core/cluster/term_reserve.h"

#include <algorithm>

#include "control/core/timers.h"
#include "proto/check.h"
#include "proto/mutation.h"

namespace qure {

uint64_t TermReserve::Next(uint32_t era, const Term& highest) const {
  uint64_t epoch = highest.era == era ? highest.epoch + 1 : 1;
  if (used_.era == era && !Mutated(Mutation::kReuseTerm)) epoch = std::max(epoch, used_.epoch);
  if (claimed_.era == era) epoch = std::max(epoch, claimed_.epoch + 1);  // `highest` may be of a later era
  return epoch;
}

void TermReserve::Claim(uint32_t era, uint64_t epoch) {
  QURE_CHECK(era > claimed_.era || (era == claimed_.era && epoch > claimed_.epoch), era, epoch, claimed_.era,
             claimed_.epoch);
  claimed_ = {.era = era, .epoch = epoch};
}

bool TermReserve::Reserve(uint32_t era, uint64_t epoch, bool alone) {
  const bool reserved = reserved_.era == era && epoch < reserved_.epoch;
  const bool plenty = reserved && epoch + kEpochLow < reserved_.epoch;
  if (!plenty && !asked_ && (!store_fails_ || ask_again_)) {
    asked_ = true;
    ask_again_ = false;
    request_ = StoredEpochs{.era = era, .epoch = epoch + kEpochBlock};
  }
  return reserved || store_fails_ || alone;
}

void TermReserve::OnStored(const StoredEpochs& epochs, bool ok) {
  asked_ = false;
  store_fails_ = !ok;
  if (ok) reserved_ = epochs;
}

}  // namespace qure
