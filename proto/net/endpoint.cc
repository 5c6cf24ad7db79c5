#include "proto/net/endpoint.h"

#include <charconv>

namespace qure {

std::optional<Endpoint> ParseEndpoint(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const std::optional<IpAddress> address = ParseIp(host);
  if (!address || address->is_v6() != bracketed) return std::nullopt;
  Endpoint endpoint{.address = *address};
  const char* const end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data() + colon + 1, end, endpoint.port);
  if (error != std::errc() || read != end || endpoint.port == 0) return std::nullopt;
  return endpoint;
}

std::string ToString(const Endpoint& endpoint) {
  const std::string address = ToString(endpoint.address);
  const std::string port = ":" + std::to_string(endpoint.port);
  return endpoint.address.is_v6() ? "[" + address + "]" + port : address + port;
}

}  // namespace qure
