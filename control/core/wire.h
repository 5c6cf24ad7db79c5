// Between the core's types and those of proto/cluster/cluster.proto. Reading checks sizes: what does not fit is
// nothing.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "proto/cluster/cluster.pb.h"
#include "proto/cluster/node.h"
#include "proto/net/address.h"

namespace qure {

inline std::optional<NodeId> ReadId(const std::string& bytes) {
  NodeId id{};
  if (bytes.size() != id.size()) return std::nullopt;
  std::ranges::copy(bytes, id.begin());
  return id;
}

inline std::string WriteId(const NodeId& id) {
  return {id.begin(), id.end()};
}

inline Term ReadTerm(const wire::Term& term) {
  return {.era = term.era(), .epoch = term.epoch(), .holder = term.holder()};
}

inline void WriteTerm(const Term& term, wire::Term* out) {
  out->set_era(term.era);
  out->set_epoch(term.epoch);
  out->set_holder(term.holder);
}

inline std::optional<IpAddress> ReadAddress(const std::string& bytes) {
  Ipv4Address v4;
  Ipv6Address v6;
  if (bytes.size() == v4.bytes.size()) {
    std::ranges::copy(bytes, v4.bytes.begin());
    return v4;
  }
  if (bytes.size() != v6.bytes.size()) return std::nullopt;
  std::ranges::copy(bytes, v6.bytes.begin());
  return v6;
}

inline std::string WriteAddress(const IpAddress& address) {
  const Ipv4Address v4 = address.v4();
  const Ipv6Address v6 = address.v6();
  return address.is_v4() ? std::string(v4.bytes.begin(), v4.bytes.end())
                         : std::string(v6.bytes.begin(), v6.bytes.end());
}

inline std::optional<MacAddress> ReadMac(const std::string& bytes) {
  MacAddress mac;
  if (bytes.size() != mac.bytes.size()) return std::nullopt;
  std::ranges::copy(bytes, mac.bytes.begin());
  return mac;
}

inline std::string WriteMac(const MacAddress& mac) {
  return {mac.bytes.begin(), mac.bytes.end()};
}

inline std::optional<IpPrefix> ReadHeld(const wire::HeldAddress& held) {
  const std::optional<IpAddress> address = ReadAddress(held.address());
  if (!address || held.length() > (address->is_v4() ? 32U : 128U)) return std::nullopt;
  return IpPrefix{*address, static_cast<uint8_t>(held.length())};
}

inline void WriteHeld(const IpPrefix& prefix, wire::HeldAddress* out) {
  out->set_address(WriteAddress(prefix.address));
  out->set_length(prefix.length);
}

}  // namespace qure
