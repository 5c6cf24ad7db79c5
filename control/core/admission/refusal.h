// REFUSED with the record that is its reason, in parts: a roster is longer than a datagram.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "control/core/admission/messages.h"
#include "control/core/admission/records.h"
#include "control/core/admission/signing.h"
#include "control/core/admission/view.h"

namespace qure::admission {

// Signed by `identity`. One message without a part if there is no record.
std::vector<RefusedMessage> MakeRefusal(const SigningKey& identity, const Digest& h1, RefusedWhy why,
                                        const Record* record);

// The parts of one refusal as they come. Those of another sender, reason or size take their place.
class RefusalParts {
 public:
  // A part that is signed. The record, once it is whole and signed as a record of `known` must be.
  std::optional<Record> Take(const RefusedMessage& part, const RecordSet& known);

 private:
  PublicKey by_{};
  RefusedWhy why_ = RefusedWhy::kFull;
  std::vector<std::vector<uint8_t>> parts_;  // empty: not here yet
};

// Whether `record`, added to `known`, says that `identity` is no member any more.
bool Expels(const Record& record, const RecordSet& known, const PublicKey& identity);

}  // namespace qure::admission
