// One run: one seed of one scenario.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/monitor.h"
#include "tests/sim/scenario.h"

namespace qure::sim {

struct RunOptions {
  uint64_t seed = 1;
  const Scenario* scenario = nullptr;  // not null
  size_t nodes = 0;                    // 0: the scenario's own number
  double hours = 0;                    // goes on with faults by chance until so much time has passed
  bool trace = false;
};

struct RunResult {
  uint64_t seed = 0;
  std::string_view scenario;
  std::vector<Violation> violations;
  uint64_t hash = 0;  // of all frames on the wire: equal for equal seeds
  uint64_t frames = 0;
  uint64_t takeovers = 0;
  uint64_t sent = 0;  // by the clients
  uint64_t answered = 0;
  Duration longest_outage;
  double group_rate = 0;  // frames of the cluster to groups a second, at rest; 0: never at rest
  double node_seconds = 0;
};

// A check that fails (proto/check.h) ends the run as a violation.
RunResult Run(const RunOptions& options);

}  // namespace qure::sim
