// Between the core's types and those of proto/cluster.proto. Reading checks sizes: what does not fit is nothing.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "proto/address.h"
#include "proto/cluster.pb.h"
#include "proto/node.h"

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

inline std::optional<IpPrefix> ReadHeld(const wire::HeldAddress& held) {
  const std::string& bytes = held.address();
  if (bytes.size() == 4 && held.length() <= 32) {
    Ipv4Address address;
    std::ranges::copy(bytes, address.bytes.begin());
    return IpPrefix{address, static_cast<uint8_t>(held.length())};
  }
  if (bytes.size() != 16 || held.length() > 128) return std::nullopt;
  Ipv6Address address;
  std::ranges::copy(bytes, address.bytes.begin());
  return IpPrefix{address, static_cast<uint8_t>(held.length())};
}

inline void WriteHeld(const IpPrefix& prefix, wire::HeldAddress* out) {
  const Ipv4Address v4 = prefix.address.v4();
  const Ipv6Address v6 = prefix.address.v6();
  if (prefix.address.is_v4()) out->set_address(v4.bytes.data(), v4.bytes.size());
  if (prefix.address.is_v6()) out->set_address(v6.bytes.data(), v6.bytes.size());
  out->set_length(prefix.length);
}

}  // namespace qure
