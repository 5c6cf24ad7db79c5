// A look at whether this machine lets in what comes to a service the way that clients' packets do: by the host port,
// from another host. A SYN goes to the kernel, and its answer shows (RFC 9293 §3.5). The connection is reset before a
// server sees it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "proto/bytes.h"
#include "proto/net/address.h"

namespace qure {

// Who asks. Neither address is any host's, so that an answer to it is an answer to us, and neither ever appears on a
// LAN: the IPv4 dummy address (RFC 7600 §3.1) and one of the prefix that is discarded (RFC 6666).
inline constexpr Ipv4Address kWayInSource4{{192, 0, 0, 8}};
inline constexpr Ipv6Address kWayInSource6{{0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

// The source that asks a service at `service`.
inline IpAddress WayInSource(const IpAddress& service) {
  return service.is_v4() ? IpAddress(kWayInSource4) : IpAddress(kWayInSource6);
}
inline constexpr MacAddress kWayInMac{{0x02, 0, 0, 0, 0, 0x08}};

struct WayInQuestion {
  MacAddress host;  // of the host port
  IpAddress service;
  uint16_t port = 0;
  uint32_t number = 0;  // the SYN's sequence number; by chance, so that no two questions meet
};

// Whole frames for the host port: the SYN, and the RST that ends what the kernel has begun for it.
std::vector<uint8_t> WayInSyn(const WayInQuestion& question);
std::vector<uint8_t> WayInReset(const WayInQuestion& question);

struct WayInAnswer {
  uint32_t number = 0;  // of the question
  bool open = false;    // a SYN-ACK; otherwise a RST
};

// `frame` came from the kernel. Nothing if it is no TCP segment to a source of ours, or answers no SYN.
std::optional<WayInAnswer> ReadWayInAnswer(ConstBytes frame);

}  // namespace qure
