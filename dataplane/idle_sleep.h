// When a worker sleeps, and for how long: never under load, always far less than a stall. It wakes for a frame, or in
// time for the heartbeater.
#pragma once

#include <cstdint>

#include "dataplane/pipeline/counters.h"
#include "dataplane/publisher.h"
#include "proto/time.h"

namespace qure {

struct IdleOptions {
  unsigned reader = 0;  // of the publisher: offline while it sleeps
  uint16_t lan_port = 0;
  uint16_t host_port = 0;
  uint16_t queue = 0;
  bool interrupts = false;  // both ports can wake a sleeping worker
};

class IdleSleep {
 public:
  IdleSleep(const IdleOptions& options, Publisher* publisher, WorkerCounters* counters);

  // In the worker's thread, before its first round.
  void WatchInterrupts();

  // After a round that saw a frame.
  void Busy();
  // After a round that saw none: sleeps if there were enough of them. `deadline`: the heartbeater's. `leased`: this
  // node has a part in a lease, so its control frames cannot wait as long.
  void Idle(MonoTime deadline, bool leased);

 private:
  void Sleep(MonoTime deadline, bool leased);
  void AwaitInterrupt(int wait_ms);

  const IdleOptions options_;
  Publisher* const publisher_;
  WorkerCounters* const counters_;
  uint32_t empty_rounds_ = 0;
  int64_t nap_ns_ = 0;  // the next nap; grows while idle
};

}  // namespace qure
