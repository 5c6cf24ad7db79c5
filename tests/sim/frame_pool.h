// Frames on their way through the simulated LAN, by number: no allocation per frame once the pool has grown.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <vector>

#include "proto/bytes.h"
#include "proto/time.h"

namespace qure::sim {

using FrameId = uint32_t;

inline constexpr size_t kFrameRoom = 1536;

// What the world knows of a frame and no device can see.
struct FrameMark {
  uint16_t sender = 0;     // port that put it on the wire first
  bool recording = false;  // not by its author: replayed, looped or forged
  bool held = false;       // passed the gate before its sender was held between gate and wire
  MonoTime sent_at;        // world time
};

class FramePool {
 public:
  FrameId Make(ConstBytes bytes, const FrameMark& mark) {
    FrameId id = 0;
    if (free_.empty()) {
      id = static_cast<FrameId>(frames_.size());
      frames_.emplace_back();
    } else {
      id = free_.back();
      free_.pop_back();
    }
    Slot& slot = frames_[id];
    slot.length = static_cast<uint16_t>(bytes.size() < kFrameRoom ? bytes.size() : kFrameRoom);
    std::memcpy(slot.data.data(), bytes.data(), slot.length);
    slot.mark = mark;
    slot.users = 1;
    return id;
  }
  void Hold(FrameId id) { ++frames_[id].users; }
  void Drop(FrameId id) {
    if (--frames_[id].users == 0) free_.push_back(id);
  }
  ConstBytes bytes(FrameId id) const { return {frames_[id].data.data(), frames_[id].length}; }
  const FrameMark& mark(FrameId id) const { return frames_[id].mark; }
  size_t in_use() const { return frames_.size() - free_.size(); }

 private:
  struct Slot {
    uint16_t length = 0;
    uint32_t users = 0;
    FrameMark mark;
    std::array<uint8_t, kFrameRoom> data;
  };
  std::deque<Slot> frames_;  // slots do not move: bytes() stays valid while frames are made
  std::vector<FrameId> free_;
};

}  // namespace qure::sim
