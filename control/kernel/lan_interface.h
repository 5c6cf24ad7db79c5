// The kernel interface beneath the LAN port, made ready for packet sockets.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "control/kernel/journal.h"

namespace qure {

// Whether an interface is one that can lead to a LAN.
struct LanCheck {
  absl::Status usable;                // not: it has no Ethernet, so that no MAC address can be answered for
  std::vector<std::string> warnings;  // what is probably not meant
};
LanCheck CheckLanInterface(const std::string& interface);

// The machine's interfaces that could be to a LAN, but for that one: Ethernet, and no bridge. By name.
std::vector<std::string> LanInterfaces(const std::string& except);

// Brings the interface up and makes it promiscuous: service MACs and groups are not its own addresses. Switches off
// what merges received frames (GRO, LRO), since merged frames are longer than any buffer. `queues`: it receives by so
// many and no more, because what a queue without a socket receives would bypass an af_xdp port. Nothing if the
// interface is missing. Errors name what would help.
KernelJournal::Wanted LanInterfaceSettings(const std::string& interface, std::optional<unsigned> queues);
absl::Status PrepareLanInterface(const std::string& interface, std::optional<unsigned> queues, KernelJournal* journal);

}  // namespace qure
