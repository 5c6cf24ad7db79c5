// A master's and a deputy's heartbeater with the wire between them in the test's hands.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "dataplane/lease/heartbeater.h"
#include "dataplane/lease/lease_gate.h"
#include "proto/cluster/envelope.h"

namespace qure {

inline constexpr MonoTime kStart{1'000'000'000'000};
inline constexpr Duration kD = Milliseconds(15);  // HeartbeatPlan::first_lease
inline constexpr Term kTerm{.era = 1, .epoch = 7, .holder = 0xA};
inline constexpr Term kNextTerm{.era = 1, .epoch = 8, .holder = 0xA};

using Sealed = std::vector<uint8_t>;

// A node's id and boot: `name` repeated, and a key of that boot.
struct Identity {
  uint8_t name = 0;
  NodeId node() const { return Repeated<NodeId>(name); }
  BootId boot() const { return Repeated<BootId>(static_cast<uint8_t>(name + 0x80)); }
  HeartbeatKey key(uint32_t id = 1) const {
    return {.id = id, .key = Repeated<SessionKey>(static_cast<uint8_t>(name + 16 * id))};
  }

 private:
  template <typename Array>
  static Array Repeated(uint8_t value) {
    Array array;
    array.fill(value);
    return array;
  }
};

// One node's worker as far as the heartbeater is concerned.
class Node {
 public:
  explicit Node(uint8_t name) : identity{name} {}
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  HeartbeatPlan MakePlan(HeartbeatRole role, const Node& peer, Term term = kTerm) const {
    HeartbeatPlan made;
    made.role = role;
    made.term = term;
    made.opening = kOpening;
    made.self = identity.node();
    made.boot = identity.boot();
    made.send_key = identity.key();
    made.peer = {.node = peer.identity.node(), .boot = peer.identity.boot(), .mac = {}, .address = {}, .keys = {}};
    made.peer.keys = {peer.identity.key()};
    return made;
  }
  void Publish(HeartbeatPlan next) { plan = std::make_shared<const HeartbeatPlan>(std::move(next)); }

  void OpenSolo(MonoTime now, uint64_t opening = kOpening) {
    gate.NoteControlAlive(now);
    gate.OpenSolo(gate.stalls(), opening);
  }

  // A round of its worker at which `arrived` has come in.
  void Round(MonoTime now, const std::vector<Sealed>& arrived = {}, bool emptied = true) {
    const Duration stall = guard.Round(now, now);
    heartbeater.Use(now, plan);
    for (const Sealed& datagram : arrived) last_reject = heartbeater.Receive(now, datagram);
    heartbeater.Round(now, plan, stall, emptied);
  }

  bool MayTransmit(MonoTime now) const { return guard.MayTransmit(now, now); }
  std::vector<Sealed> Take() { return std::exchange(sent, {}); }
  std::vector<EventKind> TakeEvents() {
    std::vector<EventKind> kinds;
    for (const Event& event : std::exchange(events, {})) kinds.push_back(event.kind);
    return kinds;
  }
  bool Reported(EventKind kind) const { return std::ranges::find(events, kind, &Event::kind) != events.end(); }
  uint64_t Rejected(HeartbeatReject why) const { return heartbeater.counters().rejected[static_cast<size_t>(why)]; }

  static constexpr uint64_t kOpening = 5;

  const Identity identity;
  LeaseGate gate;
  StallGuard guard{&gate};
  std::shared_ptr<const HeartbeatPlan> plan;
  std::vector<Sealed> sent;
  std::vector<Event> events;
  HeartbeatReject last_reject = HeartbeatReject::kNone;
  Heartbeater heartbeater{
      &gate, [this](const HeartbeatPlan&, ConstBytes datagram) { sent.emplace_back(datagram.begin(), datagram.end()); },
      [] { return std::array<uint8_t, 16>{}; }, [this](const Event& event) { events.push_back(event); }};
};

}  // namespace qure
