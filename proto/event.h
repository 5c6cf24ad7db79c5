// What the workers tell the control thread: small fixed values through a ring, rate-limited at the source.
#pragma once

#include <cstdint>

#include "proto/address.h"
#include "proto/time.h"

namespace qure {

enum class EventKind : uint8_t {
  kAddressUsed,    // ARP or ND from the LAN says that `mac` has the service address `ip`
  kAddressProbed,  // `mac` probes for the service address `ip` (RFC 5227 §2.1.1, RFC 4862 §5.4.3)
  kNeighbor,       // the gateway `ip` answered a solicitation, or announced itself, from `mac`
  kStalled,        // the worker's loop stood still for `span`; its lease gate is shut until it has listened
};

struct Event {
  EventKind kind = EventKind::kNeighbor;
  MacAddress mac;
  bool to_service_mac = false;  // kNeighbor: the answer came to a service MAC, so switch and cache lead here
  IpAddress ip;
  Duration span;
};

}  // namespace qure
