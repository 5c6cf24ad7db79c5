// DPDK's environment (EAL) as this appliance runs it: once per process, before any port.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dataplane/dataplane.h"

namespace qure {

inline constexpr unsigned kMaxWorkers = 64;

// The command line of EAL. `cpus` are those the process may run on. The calling thread becomes lcore 0 and the workers
// lcores 1 and up; neither is bound to a CPU unless options.cores says so. Errors: workers or cores that do not fit.
absl::StatusOr<std::vector<std::string>> EnvironmentArguments(const DataplaneOptions& options,
                                                              const std::vector<unsigned>& cpus);

// Starts EAL. In the calling thread, and in all that come after it but the workers, the real-time signals are blocked
// from then on: by one of them the tap driver wakes a worker when the kernel has sent a frame.
absl::Status StartEnvironment(const DataplaneOptions& options);

// A process that was killed holds its locks and devices until the kernel has taken it apart. Waits for `gone`, at most
// three seconds; false if it never came true: then another process uses it.
bool AwaitPredecessor(const std::function<bool()>& gone);

// Lets the calling worker take the tap driver's signal.
void AcceptTapSignal();

}  // namespace qure
