// The record of a constant-rate client: when it sent each packet, when each answer came, and the outages between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "nlohmann/json.hpp"

namespace qure::lab {

inline constexpr int64_t kMillisecond = 1'000'000;

// Consecutive lost packets: the time from the sending of the last answered packet before them to the sending of the
// first answered one after them, minus one interval between packets. A late sender alone makes no gap, because every
// gap has a lost packet.
struct Gap {
  int64_t from_ns = 0;
  int64_t to_ns = 0;
  int64_t length_ns = 0;
  uint64_t lost = 0;
  bool open = false;  // no packet after it was answered: it lasted to the end
};

// Times are CLOCK_MONOTONIC, which all namespaces share.
class ProbeRecord {
 public:
  // An answer that takes longer than `patience` does not count.
  ProbeRecord(int64_t interval_ns, int64_t patience_ns) : interval_ns_(interval_ns), patience_ns_(patience_ns) {}

  void Reserve(size_t packets) { packets_.reserve(packets); }
  // The packet's number: 0, 1, …
  uint64_t Send(int64_t due_ns, int64_t sent_ns);
  // An answer to packet `number`; numbers never sent are ignored.
  void Answer(uint64_t number, int64_t received_ns);

  uint64_t sent() const { return packets_.size(); }
  uint64_t answered() const { return answered_; }
  uint64_t duplicates() const { return duplicates_; }
  // In order of time.
  std::vector<Gap> Gaps(int64_t end_ns) const;
  // The report, without the facts that only the sender has.
  nlohmann::ordered_json ToJson(int64_t end_ns) const;

 private:
  struct Packet {
    int64_t sent_ns = 0;
    int64_t took_ns = -1;  // to the first answer; -1: none came
  };
  bool InTime(const Packet& packet) const { return packet.took_ns >= 0 && packet.took_ns <= patience_ns_; }
  nlohmann::ordered_json RoundTrips() const;

  const int64_t interval_ns_;
  const int64_t patience_ns_;
  std::vector<Packet> packets_;
  uint64_t answered_ = 0;  // in time
  uint64_t late_ = 0;
  uint64_t duplicates_ = 0;  // answers to packets that had been answered
  int64_t sender_late_ns_ = 0;
};

}  // namespace qure::lab
