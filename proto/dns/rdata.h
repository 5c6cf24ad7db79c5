// Pieces of the data of DNS records, in wire form.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/net/address.h"

namespace qure {

// A or AAAA, and the data of such a record (RFC 1035 §3.4.1, RFC 3596 §2.2).
uint16_t DnsAddressType(const IpAddress& address);
std::string DnsAddressRdata(const IpAddress& address);
// nullopt if it is too long or too short for either.
std::optional<IpAddress> DnsAddressOf(std::string_view rdata);

// A number of `size` bytes in network order; what is above them is lost.
void AppendNumber(uint64_t value, size_t size, std::string* out);
uint64_t NumberIn(std::string_view bytes);

}  // namespace qure
