// How the control thread queries a worker's flow table, which only that worker may touch: one question at a time. The
// worker answers within a round.
#pragma once

#include <atomic>

#include "dataplane/pipeline/top_watch.h"
#include "proto/flow.h"

namespace qure {

struct FlowLookup {
  enum class State : uint8_t { kIdle, kAsked, kAskedTop, kKnown, kUnknown };

  bool asked() const { return state == State::kAsked || state == State::kAskedTop; }

  // Control thread: kIdle or an answer → kAsked or kAskedTop; worker: kAsked → kKnown or kUnknown, kAskedTop → kKnown.
  std::atomic<State> state = State::kIdle;
  FlowKey key;      // written by the control thread before kAsked
  FlowEntry entry;  // written by the worker before kKnown
  TopRemotes top;   // the same, after kAskedTop
};

}  // namespace qure
