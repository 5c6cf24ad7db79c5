// Error texts for the operator when a main server refuses an UPDATE: the cause and the remedy.
#pragma once

#include <cstdint>
#include <string>

#include "control/core/config.h"
#include "proto/dns/tsig.h"

namespace qure {

// The cause and the remedy of a refusal.
std::string RefusalText(uint8_t rcode, const RegistrationConfig& config);
// The same for a signature that the server or this node does not accept. Empty if it is valid. `now` in seconds since
// 1970.
std::string SignatureText(const TsigResult& result, uint64_t now, const RegistrationConfig& config);

}  // namespace qure
