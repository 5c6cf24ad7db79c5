// Which system calls this process goes on with once all parts are made (seccomp(2)).
#pragma once

#include "absl/status/status.h"
#include "proto/port_spec.h"

namespace qure {

// Sanitizers ask for what is forbidden: the search for leaks starts a process that traces this one.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSystemCallsAreFiltered = false;
#else
constexpr bool kSystemCallsAreFiltered = true;
#endif

// For all threads of the process, those to come too, and for good:
//   - what only somebody else's code would ask for ends the process: another program, a trace of a process, a mount, a
//     kernel module, another namespace;
//   - what a running qured with such a LAN port asks for is allowed;
//   - everything else fails with EPERM and is in the kernel's log.
// An error means that not all of this is in force.
absl::Status FilterSystemCalls(PortKind lan);

}  // namespace qure
