#include "proto/cluster/heartbeat.h"

namespace qure {
namespace {

constexpr uint8_t kBinding = 1;
constexpr uint8_t kReady = 2;
constexpr Duration kLongestLease = Seconds(10);
// Far beyond the life of any machine, and far enough from the ends that adding a lease cannot overflow.
constexpr int64_t kTimeLimit = int64_t{1} << 62;

struct Wire {
  uint8_t kind;
  uint8_t flags;
  Be16 reserved;  // zero
  Be32 era;
  NodeId to;
  Be64 epoch;
  Be64 holder;
  Be64 sequence;
  Be64 sent_at;  // this and the durations: nanoseconds, two's complement
  Be64 lease;
  Be64 control_liveness;
  Be64 wanted_lease;
};
static_assert(sizeof(Wire) == kHeartbeatSize);

Be64 ToWire(int64_t ns) {
  return Be64(static_cast<uint64_t>(ns));
}

int64_t FromWire(Be64 ns) {
  return static_cast<int64_t>(ns.value());
}

}  // namespace

void WriteHeartbeat(const Heartbeat& heartbeat, std::span<uint8_t, kHeartbeatSize> out) {
  const int flags = (heartbeat.binding ? kBinding : 0) | (heartbeat.ready ? kReady : 0);
  *MutableHeaderAt<Wire>(out, 0) = {.kind = static_cast<uint8_t>(heartbeat.kind),
                                    .flags = static_cast<uint8_t>(flags),
                                    .reserved = Be16(0),
                                    .era = Be32(heartbeat.term.era),
                                    .to = heartbeat.to,
                                    .epoch = Be64(heartbeat.term.epoch),
                                    .holder = Be64(heartbeat.term.holder),
                                    .sequence = Be64(heartbeat.sequence),
                                    .sent_at = ToWire(heartbeat.sent_at.ns),
                                    .lease = ToWire(heartbeat.lease.ns),
                                    .control_liveness = Be64(heartbeat.control_liveness),
                                    .wanted_lease = ToWire(heartbeat.wanted_lease.ns)};
}

std::optional<Heartbeat> ReadHeartbeat(ConstBytes plain) {
  if (plain.size() != kHeartbeatSize) return std::nullopt;
  const auto& wire = *HeaderAt<Wire>(plain, 0);
  const auto kind = static_cast<HeartbeatKind>(wire.kind);
  if (kind != HeartbeatKind::kRequest && kind != HeartbeatKind::kAck) return std::nullopt;
  if ((wire.flags & ~(kBinding | kReady)) != 0 || wire.reserved != Be16(0)) return std::nullopt;

  const Heartbeat heartbeat{.kind = kind,
                            .binding = (wire.flags & kBinding) != 0,
                            .ready = (wire.flags & kReady) != 0,
                            .to = wire.to,
                            .term = {wire.era.value(), wire.epoch.value(), wire.holder.value()},
                            .sequence = wire.sequence.value(),
                            .sent_at = {FromWire(wire.sent_at)},
                            .lease = {FromWire(wire.lease)},
                            .control_liveness = wire.control_liveness.value(),
                            .wanted_lease = {FromWire(wire.wanted_lease)}};
  if (heartbeat.lease <= Duration{} || heartbeat.lease > kLongestLease) return std::nullopt;
  if (heartbeat.wanted_lease < Duration{} || heartbeat.wanted_lease > kLongestLease) return std::nullopt;
  if (heartbeat.sent_at.ns <= -kTimeLimit || heartbeat.sent_at.ns >= kTimeLimit) return std::nullopt;
  return heartbeat;
}

}  // namespace qure
