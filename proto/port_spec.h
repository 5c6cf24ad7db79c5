// Which device a LAN port is: "af_packet:eth0", "af_xdp:eth0", "tap:qlan0", "pci:0000:01:00.0",
// "vdev:net_memif0,role=client".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace qure {

enum class PortKind : uint8_t { kPci, kAfPacket, kAfXdp, kTap, kVdev };

struct PortSpec {
  PortKind kind = PortKind::kAfPacket;
  std::string argument;  // interface name, PCI address, or DPDK's own vdev string

  // The kernel interface beneath the port, or "" if it has none that the kernel knows.
  std::string interface() const {
    return kind == PortKind::kAfPacket || kind == PortKind::kAfXdp ? argument : std::string();
  }
};

// A PCI address may be written without its domain, "01:00.0"; the result has it. Errors name what is wrong and what
// would be right.
absl::StatusOr<PortSpec> ParsePortSpec(std::string_view text);
std::string ToString(const PortSpec& spec);

// Whether the kernel takes `name` for an interface, and DPDK within its device arguments.
bool IsInterfaceName(std::string_view name);

}  // namespace qure
