// Conversion of addresses between Asio and QuRe.
#pragma once

#include <asio/ip/address.hpp>

#include "proto/net/address.h"

namespace qure {

inline asio::ip::address ToAsio(const IpAddress& address) {
  if (address.is_v4()) return asio::ip::address_v4(address.v4().bytes);
  return asio::ip::address_v6(address.v6().bytes);
}

inline IpAddress FromAsio(const asio::ip::address& address) {
  if (address.is_v4()) return IpAddress(Ipv4Address{address.to_v4().to_bytes()});
  return IpAddress(Ipv6Address{address.to_v6().to_bytes()});
}

}  // namespace qure
