// DPDK telemetry commands, for dpdk-telemetry.py: /qure/reasons, /qure/worker,ID, /qure/ports.
#pragma once

#include "dataplane/dataplane.h"

namespace qure {

// `dataplane` must stay alive until StopTelemetry. Errors of DPDK are not fatal: the commands are missing then.
void StartTelemetry(const Dataplane* dataplane);
// When this returns no command looks at the dataplane any more.
void StopTelemetry();

}  // namespace qure
