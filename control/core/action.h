// What the control core wants done. It never does anything itself.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "control/core/config.h"
#include "proto/address.h"
#include "proto/snapshot.h"

namespace qure {

// Send an untagged frame to the LAN. `answer`: sourced from a service MAC, it must pass the lease gate.
struct SendFrame {
  std::vector<uint8_t> bytes;
  bool answer = false;
};

// Hand this forwarding state to the workers.
struct PublishSnapshot {
  std::shared_ptr<const Snapshot> snapshot;
};

struct OpenGate {};
struct ShutGate {};

// The host port shall carry exactly these service addresses.
struct SetHostAddresses {
  std::vector<IpPrefix> addresses;
};

struct Log {
  LogLevel level = LogLevel::kInfo;
  std::string text;
};

using Action = std::variant<SendFrame, PublishSnapshot, OpenGate, ShutGate, SetHostAddresses, Log>;
using Actions = std::vector<Action>;

}  // namespace qure
