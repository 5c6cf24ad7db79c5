// The heartbeat between the master's and the deputy's workers: a fixed layout, sealed in an envelope of its own
// channel.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "proto/bytes.h"
#include "proto/cluster/node.h"
#include "proto/endian.h"
#include "proto/time.h"

namespace qure {

enum class HeartbeatKind : uint8_t {
  kRequest = 1,  // master to deputy
  kAck = 2,      // the echo
};

// Plain form of one heartbeat.
struct Heartbeat {
  HeartbeatKind kind = HeartbeatKind::kRequest;
  bool binding = false;  // heartbeat: the receiver may take over when heartbeats end. Not set: an offer, it may not yet
  bool ready = false;    // ack: all that is needed to serve is installed
  BootId to{};           // the receiver's: what was sent to an earlier boot of it cannot be replayed to this one
  Term term;             // of the master's mastership; echoed
  uint64_t sequence = 0;          // strictly grows within a term; echoed
  MonoTime sent_at;               // on the master's clock; echoed: the lease runs from here
  Duration lease;                 // D that the receiver must use; echoed as the one it used
  uint64_t control_liveness = 0;  // heartbeat: liveness counter of the master's control thread
  Duration wanted_lease;          // ack: D that the receiver's measured arrival jitter asks for
};

inline constexpr size_t kHeartbeatSize = 80;  // of the plain text on the wire, all fields big-endian

void WriteHeartbeat(const Heartbeat& heartbeat, std::span<uint8_t, kHeartbeatSize> out);
// Nothing if the length, the kind or a value is not possible (a lease of zero or above 10 s, unknown flags).
std::optional<Heartbeat> ReadHeartbeat(ConstBytes plain);

}  // namespace qure
