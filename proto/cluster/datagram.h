// A cluster datagram as a worker received it, before anything in it is believed.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/net/address.h"

namespace qure {

enum class Delivery : uint8_t { kUnicast, kMulticast, kBroadcast };

struct Datagram {
  // Source of the frame. Compared with what the sealed message says, and no more: nothing is ever sent there.
  MacAddress mac;
  Delivery delivery = Delivery::kUnicast;
  std::vector<uint8_t> payload;  // of UDP: an envelope
};

}  // namespace qure
