#include "control/core/persist_ledger.h"

#include <utility>

#include "proto/check.h"

namespace qure {

uint64_t PersistLedger::Store(StoreChange change, Actions* out) {
  if (last_of_boot_ != 0) return ++last_ticket_;
  unanswered_.emplace(++last_ticket_, change.epochs);
  out->push_back(Persist{.ticket = last_ticket_, .change = std::move(change)});
  return last_ticket_;
}

uint64_t PersistLedger::StoreLast(StoreChange change, Actions* out) {
  const uint64_t ticket = Store(std::move(change), out);
  if (last_of_boot_ == 0) last_of_boot_ = ticket;
  return ticket;
}

std::optional<StoredEpochs> PersistLedger::OnPersisted(uint64_t ticket, bool ok, Actions* out) {
  const auto answered = unanswered_.find(ticket);
  QURE_CHECK(answered != unanswered_.end(), ticket, last_ticket_);
  if (!ok && failures_++ == 0) {
    out->push_back(
        MakeLog(LogLevel::kError, "the store takes no changes: this node goes on, but forgets them when it stops"));
  }
  if (ok) failures_ = 0;
  if (!ok && ticket == last_of_boot_) last_of_boot_ = 0;
  const std::optional<StoredEpochs> epochs = answered->second;
  unanswered_.erase(answered);
  return epochs;
}

}  // namespace qure
