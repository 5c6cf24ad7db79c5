// What ldns hands out, with owners, and its names of types.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <ldns/ldns.h>

namespace qure {

template <auto free>
struct FreeWith {
  template <typename T>
  void operator()(T* owned) const {
    free(owned);
  }
};
using LdnsPacket = std::unique_ptr<ldns_pkt, FreeWith<ldns_pkt_free>>;
using LdnsRecord = std::unique_ptr<ldns_rr, FreeWith<ldns_rr_free>>;
using LdnsData = std::unique_ptr<ldns_rdf, FreeWith<ldns_rdf_deep_free>>;
using LdnsBuffer = std::unique_ptr<ldns_buffer, FreeWith<ldns_buffer_free>>;
using LdnsBytes = std::unique_ptr<uint8_t, FreeWith<std::free>>;
using LdnsText = std::unique_ptr<char, FreeWith<std::free>>;

// "A", "MX", "TYPE731" (RFC 3597 §5); nullopt if it is none.
std::optional<uint16_t> DnsTypeOf(std::string_view name);
std::string DnsTypeName(uint16_t type);

}  // namespace qure
