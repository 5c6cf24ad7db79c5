// What a worker does for its flow table beside forwarding: forgets idle flows, reports the pinned flows that this node
// owns to the control thread, learns those of others, watches for heavy hitters, and counts which remote addresses have
// the most. It also owns the watch for repeated requests.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "dataplane/pipeline/counters.h"
#include "dataplane/pipeline/flow_lookup.h"
#include "dataplane/pipeline/flow_table.h"
#include "dataplane/pipeline/heavy_hitter_detector.h"
#include "dataplane/pipeline/request_watch.h"
#include "dataplane/pipeline/top_watch.h"
#include "dataplane/pipeline/worker_memory.h"
#include "dataplane/pipeline/worker_progress.h"
#include "proto/flow.h"
#include "proto/snapshot.h"

namespace qure {

// A pinned flow: an active flow whose owner is not the one that the current Maglev lookup table names.
struct PinnedFlow {
  FlowKey key;
  uint32_t owner = kSelfSlot;  // a NodeSlot
};

struct FlowOptions {
  size_t flows = 262'144;  // room in the table
  uint64_t seed = 0;       // of its hash
  uint32_t workers = 1;    // that the flows of one remote address are spread over
  // To the control thread: a flow that this node owns. False: no room, it is reported again.
  std::function<bool(const PinnedFlow&)> report;
  FlowLookup* question = nullptr;
};

class FlowKeeper {
 public:
  FlowKeeper(const FlowOptions& options, WorkerCounters* counters, WorkerProgress* progress);

  FlowMemory memory() { return {.table = &table_, .heavy_hitters = &heavy_hitters_, .requests = &requests_}; }

  // Once a round. True if there is something for the control thread.
  bool Round(MonoTime now, const Snapshot& snapshot);
  // Takes a pinned flow that another node owns, from the control thread.
  void Learn(MonoTime now, const PinnedFlow& lesson);
  // Heavy hitters that were seen since the last call; valid until the next one.
  const std::vector<HeavyHitterSighting>& TakeSightings() { return heavy_hitters_.Take(); }

 private:
  void Answer(FlowTime now);
  bool Sweep(FlowTime now, const Snapshot& snapshot);
  void Visit(const Snapshot& snapshot, FlowEntry* entry);
  void CountUp();

  const FlowOptions options_;
  WorkerCounters* const counters_;
  WorkerProgress* const progress_;
  FlowTable table_;
  HeavyHitterDetector heavy_hitters_;
  RequestWatch requests_;
  TopWatch top_;
  FlowTime swept_;
  size_t due_ = 0;         // buckets to sweep
  uint8_t round_ = 0;      // of reports
  size_t left_ = 0;        // buckets to look at until all were, in this round, and nothing was left out
  bool reported_ = false;  // something, since the last look
  bool refused_ = false;   // a report, for want of room, since the last look
  std::array<uint32_t, kMaxNodes> tally_{};  // flows by owner in the pass under way
};

}  // namespace qure
