// An address with a port, and its text: "192.0.2.1:53", "[2001:db8::1]:53".
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/net/address.h"

namespace qure {

struct Endpoint {
  IpAddress address;
  uint16_t port = 0;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// nullopt unless both are there and the port is not 0.
std::optional<Endpoint> ParseEndpoint(std::string_view text);
std::string ToString(const Endpoint& endpoint);

}  // namespace qure
