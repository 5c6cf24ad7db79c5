// What a worker does for its flow table beside forwarding: forgets idle flows, tells the control thread of those that
// this node owns though the table of shares names another, and learns such flows of others.
#pragma once

#include <cstdint>

#include "dataplane/counters.h"
#include "dataplane/flow_question.h"
#include "dataplane/flow_table.h"
#include "dataplane/forwarder.h"
#include "proto/flow.h"
#include "proto/snapshot.h"

struct rte_ring;

namespace qure {

// An exception: a living flow whose owner is not the one that the current table of shares names.
struct FlowException {
  FlowKey key;
  uint32_t owner = kSelfSlot;  // a NodeSlot
};

struct FlowOptions {
  size_t flows = 262'144;       // room in the table
  uint64_t seed = 0;            // of its hash
  rte_ring* reports = nullptr;  // FlowException elements to the control thread: flows that this node owns
  FlowQuestion* question = nullptr;
  rte_ring* lessons = nullptr;  // FlowException elements from it: flows that others own
};

class FlowKeeper {
 public:
  FlowKeeper(const FlowOptions& options, WorkerCounters* counters);

  Flows At(MonoTime now) { return {.table = &table_, .now = FlowTimeOf(now)}; }

  // Once a round. True if there is something for the control thread.
  bool Round(MonoTime now, const Snapshot& snapshot);

 private:
  void Answer(FlowTime now);
  void Learn(FlowTime now);
  bool Sweep(FlowTime now, const Snapshot& snapshot);
  void Visit(const Snapshot& snapshot, FlowEntry* entry);
  void CountUp();

  const FlowOptions options_;
  WorkerCounters* const counters_;
  FlowTable table_;
  FlowTime swept_;
  size_t due_ = 0;         // buckets to sweep
  uint8_t round_ = 0;      // of reports, that the pass under way serves
  bool whole_ = false;     // this pass began at the first bucket, in this round, and nothing was left out
  bool reported_ = false;  // something, since the last look
  std::array<uint32_t, kMaxNodes> tally_{};  // flows by owner in the pass under way
};

}  // namespace qure
