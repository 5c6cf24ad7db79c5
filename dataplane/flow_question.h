// How the control thread looks a flow up in a worker's table, which only its worker may touch: a slip of paper with one
// question at a time. The worker answers within a round.
#pragma once

#include <atomic>

#include "proto/flow.h"

namespace qure {

struct FlowQuestion {
  enum class State : uint8_t { kIdle, kAsked, kKnown, kUnknown };

  // Control thread: kIdle or an answer → kAsked; worker: kAsked → kKnown or kUnknown.
  std::atomic<State> state = State::kIdle;
  FlowKey key;      // written by the control thread before kAsked
  FlowEntry entry;  // written by the worker before kKnown
};

}  // namespace qure
