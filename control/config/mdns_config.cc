#include "control/config/mdns_config.h"

#include <algorithm>

#include "control/base/text.h"

namespace qure {
namespace {

constexpr size_t kMostName = 15;    // RFC 6335 §5.1
constexpr size_t kMostTxt = 255;    // of one string (RFC 6763 §6.1)
constexpr size_t kMostTxts = 1000;  // of all: it goes into one frame together with the names
constexpr size_t kMostShown = 40;   // bytes

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// RFC 6335 §5.1: letters, digits and single hyphens within, and one letter at least.
bool IsServiceName(std::string_view name) {
  const auto fits = [](char c) { return IsLetter(c) || (c >= '0' && c <= '9') || c == '-'; };
  return !name.empty() && name.size() <= kMostName && std::ranges::all_of(name, fits) &&
         std::ranges::any_of(name, IsLetter) && !name.starts_with('-') && !name.ends_with('-') &&
         name.find("--") == std::string_view::npos;
}

// For a message. No part of a character of UTF-8 is left over at its end.
std::string_view BeginningOf(std::string_view text) {
  size_t size = std::min(text.size(), kMostShown);
  while (size > 0 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  return text.substr(0, size);
}

}  // namespace

MdnsConfig ReadMdns(TableReader mdns) {
  MdnsConfig config;
  config.enabled = mdns.Boolean("enabled", config.enabled);
  mdns.RejectUnknownKeys();
  return config;
}

void ReadServiceMdns(TableReader* table, ServiceConfig* service) {
  const std::string_view protocol = service->protocol == 6 ? "._tcp" : "._udp";
  const auto type = table->OptionalString("mdns");
  const std::vector<Placed<std::string>> strings = table->Strings("txt");
  if (!type) {
    if (!strings.empty())
      table->Fail("txt", "only for a service with a type; add mdns = \"_http._tcp\", or leave it out");
    return;
  }
  const std::string_view text = type->value;
  const bool framed = text.starts_with('_') && text.size() > protocol.size() && text.ends_with(protocol);
  if (!framed || !IsServiceName(text.substr(1, text.size() - 1 - protocol.size()))) {
    table->Fail("mdns", Concat("\"", text, "\" is not a type of this service; write it like \"_http", protocol,
                               "\", the name in at most 15 letters, digits and hyphens"));
    return;
  }
  size_t size = 0;
  for (const Placed<std::string>& string : strings) {
    size += 1 + string.value.size();
    if (string.value.empty() || string.value.starts_with('=') || string.value.size() > kMostTxt || size > kMostTxts) {
      table->errors()->Add(
          string.place,
          Concat("\"", BeginningOf(string.value),
                 "\" is not possible; write KEY=VALUE with at most 255 bytes, and 1000 for all together"));
      return;
    }
    service->txt.push_back(string.value);
  }
  service->mdns = type->value;
}

}  // namespace qure
