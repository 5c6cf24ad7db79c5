// What happens next in the simulated world: a binary heap of plain values. World time is MonoTime on the world's own
// clock, which no node can read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "proto/time.h"

namespace qure::sim {

enum class Happening : uint16_t {
  kSwitchFrame,  // frame `value` has reached the switch through port `who`
  kArrival,      // frame `value` has reached the device on port `who`
  kWorker,       // node `who`: a round, if `value` is still its newest appointment
  kFlush,        // node `who`: what its worker had on the way to the wire when it was held
  kControl,      // node `who`: its control thread wakes, likewise
  kPersist,      // node `who`: its store has finished with the oldest change; `value`: boot
  kDevice,       // a timer `value` of the device on port `who`
  kScript,       // step `value` of the scenario
};

struct Appointment {
  MonoTime at;
  uint64_t order = 0;  // of equals, the first made comes first
  uint64_t value = 0;
  Happening what = Happening::kScript;
  uint16_t who = 0;
};

class EventQueue {
 public:
  EventQueue() { heap_.reserve(1024); }

  void Add(MonoTime at, Happening what, size_t who, uint64_t value) {
    heap_.push_back({.at = at, .order = ++order_, .value = value, .what = what, .who = static_cast<uint16_t>(who)});
    std::push_heap(heap_.begin(), heap_.end(), Later);
  }
  bool empty() const { return heap_.empty(); }
  MonoTime next() const { return heap_.front().at; }
  Appointment Take() {
    std::pop_heap(heap_.begin(), heap_.end(), Later);
    const Appointment first = heap_.back();
    heap_.pop_back();
    return first;
  }

 private:
  static bool Later(const Appointment& a, const Appointment& b) {
    return a.at != b.at ? a.at > b.at : a.order > b.order;
  }

  std::vector<Appointment> heap_;
  uint64_t order_ = 0;
};

}  // namespace qure::sim
