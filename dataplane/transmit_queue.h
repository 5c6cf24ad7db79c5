// Gathers the frames of a round for one port, to send them together, and counts what becomes of each.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/pipeline/counters.h"
#include "dataplane/pipeline/frame.h"
#include "proto/reason.h"

struct rte_mbuf;

namespace qure {

// A frame that is ready to leave.
struct OutgoingFrame {
  rte_mbuf* mbuf;
  Reason reason;
  Side from;
};

struct TransmitOptions {
  uint16_t port = 0;
  uint16_t queue = 0;
  Reason full = Reason::lan_full;  // of frames that the port does not take
};

class TransmitQueue {
 public:
  // `traffic`: the port's among `counters`.
  TransmitQueue(const TransmitOptions& options, WorkerCounters* counters, PortCounters* traffic)
      : options_(options), counters_(counters), traffic_(traffic) {}

  // At most kCapacity frames between two calls of Send.
  void Add(const OutgoingFrame& frame) {
    mbufs_[count_] = frame.mbuf;
    reasons_[count_] = frame.reason;
    from_[count_++] = frame.from;
  }

  // Takes out the frames from a service MAC, and gives each to `take`.
  template <typename Take>
  void TakeAnswers(Take take) {
    uint16_t kept = 0;
    for (uint16_t i = 0; i < count_; ++i) {
      if (VerdictOf(reasons_[i]) == Verdict::kAnswer) {
        take(OutgoingFrame{mbufs_[i], reasons_[i], from_[i]});
        continue;
      }
      mbufs_[kept] = mbufs_[i];
      reasons_[kept] = reasons_[i];
      from_[kept++] = from_[i];
    }
    count_ = kept;
  }

  // Sends what was gathered. What the port does not take is freed.
  void Send();

  bool empty() const { return count_ == 0; }
  uint16_t count() const { return count_; }

  static constexpr uint16_t kCapacity = 3 * kBurst;  // a burst each from LAN, host and control

 private:
  const TransmitOptions options_;
  WorkerCounters* const counters_;
  PortCounters* const traffic_;
  uint16_t count_ = 0;
  std::array<rte_mbuf*, kCapacity> mbufs_;
  std::array<Reason, kCapacity> reasons_;
  std::array<Side, kCapacity> from_;
};

}  // namespace qure
