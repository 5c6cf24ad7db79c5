// A node without a configuration file: it shares the interface to the LAN with the kernel, waits to be taken in by a
// cluster (`qurectl admit`) or to begin one (`qurectl init`), and takes nothing of the machine meanwhile.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace qure {

// Where a configuration file is looked for if none is named. Without one the node is bare.
inline constexpr char kDefaultConfigFile[] = "/etc/qure/qure.toml";

// The machine's interface to the LAN: that of its default route, or else its only network card, or else its only
// Ethernet interface. NotFound, with the names of those that could be meant, if that does not say which.
absl::StatusOr<std::string> FindLanInterface();

// What the file of such a node would say. `join`: a token, a fingerprint, or empty: whichever cluster admits it.
std::string BareConfig(const std::string& interface, const std::string& join);

}  // namespace qure
