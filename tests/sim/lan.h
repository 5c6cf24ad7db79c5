// The simulated LAN: a switch with a forwarding table that learns and ages, and one link per port with its faults.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "proto/net/address.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/frame_pool.h"
#include "tests/sim/random.h"

namespace qure::sim {

// Whatever is plugged into the switch.
class Device {
 public:
  virtual ~Device() = default;
  virtual void OnFrame(MonoTime now, FrameId frame) = 0;  // the frame is kept only if held
  virtual void OnTimer(MonoTime now, uint64_t value) = 0;
};

// One direction of a link.
struct LinkFaults {
  double loss = 0;
  double duplicate = 0;
  double reorder = 0;  // chance of an extra delay of up to `reorder_by`
  Duration reorder_by = Milliseconds(2);
  Duration delay = Microseconds(15);
  Duration jitter = Microseconds(10);
  bool down = false;
  bool no_multicast = false;  // groups other than broadcast
  bool no_broadcast = false;
  bool no_cluster = false;  // what nodes send to each other
};

// UDP to the cluster's port.
bool IsClusterFrame(ConstBytes frame);

class Lan {
 public:
  static constexpr size_t kMaxPorts = 80;
  static constexpr Duration kAgeing = Seconds(300);
  static constexpr double kCountsAsCut = 0.25;  // loss in one direction

  Lan(EventQueue* queue, FramePool* pool, uint64_t seed) : queue_(queue), pool_(pool), random_(seed) {}

  // Returns the port's number. `mac`: what a switch with port security would expect there.
  size_t Plug(Device* device, const MacAddress& mac);
  Device* device(size_t port) const { return ports_[port].device; }
  size_t port_count() const { return ports_.size(); }

  // From a device onto its wire. `on_wire` sees every frame that leaves a device.
  void Transmit(MonoTime now, size_t port, ConstBytes bytes, FrameMark mark);
  std::function<void(MonoTime now, size_t port, FrameId frame)> on_wire;

  void OnSwitch(MonoTime now, size_t port, FrameId frame);

  LinkFaults& up(size_t port) { return ports_[port].up; }      // device to switch
  LinkFaults& down(size_t port) { return ports_[port].down; }  // switch to device
  void Block(size_t from, size_t to, bool blocked) { blocked_[from][to] = blocked; }
  // Two switches whose trunk is cut: ports of different groups do not hear each other.
  void SetGroup(size_t port, uint8_t group) { ports_[port].group = group; }
  void SecurePorts(bool on) { secure_ = on; }
  void Loop(double chance) { loop_ = chance; }
  void Heal();

  // Whether frames from one to the other come through at all; heavy loss counts as not.
  bool Reaches(size_t from, size_t to) const { return PassesBelow(kCountsAsCut, from, to); }
  bool ReachesEver(size_t from, size_t to) const { return PassesBelow(1, from, to); }
  uint64_t lost() const { return lost_; }

 private:
  struct Port {
    Device* device = nullptr;
    MacAddress mac;
    LinkFaults up;
    LinkFaults down;
    uint8_t group = 0;
  };
  struct Entry {
    size_t port = 0;
    MonoTime seen;
  };

  void Carry(MonoTime now, const LinkFaults& link, Happening what, size_t port, FrameId frame);
  void Deliver(MonoTime now, size_t from, size_t to, FrameId frame);
  bool Passes(size_t from, size_t to) const;
  bool PassesBelow(double loss, size_t from, size_t to) const;

  EventQueue* const queue_;
  FramePool* const pool_;
  Random random_;
  std::vector<Port> ports_;
  std::array<std::array<bool, kMaxPorts>, kMaxPorts> blocked_{};
  std::array<absl::flat_hash_map<uint64_t, Entry>, 4> tables_;  // by group; looked up only, never walked
  bool secure_ = false;
  double loop_ = 0;
  uint64_t lost_ = 0;
};

}  // namespace qure::sim
