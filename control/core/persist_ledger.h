// The changes that the store is asked for: numbers them, and keeps what waits for each until the store has answered.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "control/core/action.h"
#include "control/core/stored.h"

namespace qure {

class PersistLedger {
 public:
  // Asks for `change` to be made durable, under the next ticket, which is returned. Tickets begin with 1.
  uint64_t Store(StoreChange change, Actions* out);
  // Likewise, and this boot ends once it is durable: what this node learns until then is not stored, since another boot
  // begins with exactly this. If it cannot be made durable, what comes later is stored again.
  uint64_t StoreLast(StoreChange change, Actions* out);
  // The store has answered `ticket`, each once. Returns the term epochs that the change reserved, if any.
  std::optional<StoredEpochs> OnPersisted(uint64_t ticket, bool ok, Actions* out);
  // What could not be made durable is so now.
  void OnRecovered() { failures_ = 0; }
  // Changes that could not be made durable, since the last one that could.
  uint64_t failures() const { return failures_; }

 private:
  uint64_t last_ticket_ = 0;
  std::map<uint64_t, std::optional<StoredEpochs>> unanswered_;  // by ticket
  uint64_t failures_ = 0;
  uint64_t last_of_boot_ = 0;  // ticket of StoreLast; 0: none
};

}  // namespace qure
