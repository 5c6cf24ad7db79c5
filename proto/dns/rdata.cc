#include "proto/dns/rdata.h"

#include <algorithm>

#include "proto/dns/message.h"

namespace qure {

uint16_t DnsAddressType(const IpAddress& address) {
  return address.is_v4() ? kDnsTypeA : kDnsTypeAaaa;
}

std::string DnsAddressRdata(const IpAddress& address) {
  const auto text = [](const auto& bytes) { return std::string(bytes.begin(), bytes.end()); };
  return address.is_v4() ? text(address.v4().bytes) : text(address.v6().bytes);
}

std::optional<IpAddress> DnsAddressOf(std::string_view rdata) {
  Ipv4Address v4;
  Ipv6Address v6;
  if (rdata.size() == v4.bytes.size()) {
    std::ranges::copy(rdata, v4.bytes.begin());
    return v4;
  }
  if (rdata.size() != v6.bytes.size()) return std::nullopt;
  std::ranges::copy(rdata, v6.bytes.begin());
  return v6;
}

void AppendNumber(uint64_t value, size_t size, std::string* out) {
  for (size_t i = size; i-- > 0;) out->push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t NumberIn(std::string_view bytes) {
  uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

}  // namespace qure
