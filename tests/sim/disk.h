// A node's store as the simulator has it: what control/store/store does, on a disk that may be slow, full, damaged,
// lost or set back.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/core/stored.h"
#include "proto/net/address.h"
#include "proto/time.h"
#include "tests/sim/random.h"
#include "tests/support/config_disk.h"

namespace qure::sim {

class Disk {
 public:
  // `drawn`: what the signing key is made from, and with it the node's id.
  explicit Disk(const NodeId& drawn) { DrawIdentity(drawn); }

  // A process starts on it: counts the boot. `hardware`: the MAC of the LAN port.
  StoredState Boot(std::string_view revision, const MacAddress& hardware);

  // Takes a change; true: durable. The process hears of it after `delay()`.
  bool Apply(const StoreChange& change);
  void TakeNewIdentity(const NodeId& drawn);
  void BeginAnew(const NodeId& drawn);
  const NodeId& node_id() const { return image_.state.node_id; }
  const admission::Seed& identity() const { return *image_.state.identity; }
  const StoredState& state() const { return image_.state; }

  Duration delay() const { return delay_; }
  void SetDelay(Duration delay) { delay_ = delay; }
  void SetFull(bool full) { full_ = full; }
  // What the node has long known, before its first boot here.
  void Remember(const std::vector<HistoryEvent>& events) { image_.state.events = events; }

  // Faults that the next boot finds.
  void Lose(const NodeId& fresh);  // empty or damaged beyond repair: made anew with another key
  void Keep() { kept_ = image_; }  // a snapshot is taken …
  bool RollBack();                 // … and restored
  void TearLast();                 // the last change did not reach the platter though it was acknowledged
  void CopyFrom(const Disk& other) { image_ = other.image_; }

 private:
  struct Image {
    StoredState state;
    ConfigDisk config;
    uint64_t age = 0;
    std::string revision;
    uint64_t age_at_revision = 1;
    std::optional<MacAddress> hardware;
  };

  void DrawIdentity(const NodeId& drawn);

  Image image_;
  std::optional<Image> kept_;
  std::optional<Image> before_last_;
  Duration delay_ = Milliseconds(4);
  bool full_ = false;
};

}  // namespace qure::sim
