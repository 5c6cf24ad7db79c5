// Which of root's privileges this process goes on with once all parts are made.
#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "proto/port_spec.h"

namespace qure {

// A bit for each capability (capabilities(7)) that a running qured with such a LAN port uses:
//   CAP_NET_ADMIN, CAP_NET_RAW   addresses, routes and sysctls of the interfaces; packet sockets, a port opened again
//   CAP_NET_BIND_SERVICE         DNS at service addresses that are taken later
//   CAP_IPC_LOCK                 packet memory
//   CAP_SYS_NICE                 priority of workers and control thread, which begin afterwards
//   CAP_DAC_OVERRIDE             configuration, zones and data directory may belong to any user
//   CAP_SYS_ADMIN, CAP_BPF       af_xdp: its program; pci: physical addresses
//   CAP_SYS_RAWIO                pci: devices of uio
uint64_t NeededCapabilities(PortKind lan);

// All threads of the process give up the other capabilities, and none is to be had by executing a program any more
// (PR_SET_NO_NEW_PRIVS). A thread that cannot be reached is an error; the others have given theirs up then.
absl::Status DropPrivileges(uint64_t needed);

}  // namespace qure
