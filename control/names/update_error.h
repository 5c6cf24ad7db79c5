// What an operator reads when a main server does not take an UPDATE: why, and the remedy.
#pragma once

#include <cstdint>
#include <string>

#include "control/core/config.h"
#include "proto/dns/tsig.h"

namespace qure {

// Why a server refused, and what the operator can do.
std::string RefusalText(uint8_t rcode, const RegistrationConfig& config);
// The same for a signature that the server or this node does not accept; `now`: seconds since 1970. Empty: it is sound.
std::string SignatureText(const TsigResult& result, uint64_t now, const RegistrationConfig& config);

}  // namespace qure
