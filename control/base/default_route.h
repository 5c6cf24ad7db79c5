// The machine's IPv4 default route, from proc(5).
#pragma once

#include <istream>
#include <optional>
#include <string>

#include "proto/net/address.h"

namespace qure {

struct DefaultRoute {
  std::string interface;
  Ipv4Address gateway;  // zero: none, the interface leads there by itself
};

// The first of /proc/net/route; nothing if there is none.
std::optional<DefaultRoute> FindDefaultRoute();
// The same of `table`, which has its layout.
std::optional<DefaultRoute> FindDefaultRoute(std::istream& table);

}  // namespace qure
