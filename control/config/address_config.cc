#include "control/config/address_config.h"

#include <algorithm>

#include "control/base/text.h"
#include "proto/snapshot.h"

namespace qure {
namespace {

constexpr uint32_t kElsewhere = 0;  // no line
constexpr std::string_view kAddressExamples = "198.51.100.50/24 or 2001:db8:2::50/64";

std::string_view FamilyName(const IpAddress& address) {
  return address.is_v4() ? "IPv4" : "IPv6";
}

// Why no host can have this address; empty if one can.
std::string_view NotForHosts(const IpAddress& address) {
  if (address.is_v4()) {
    const Ipv4Address v4 = address.v4();
    if (v4.bytes[0] == 0) return "is in 0.0.0.0/8, \"this network\"";  // RFC 1122 §3.2.1.3 (a), (b)
    if (v4.is_loopback()) return "is a loopback address";
    if (v4.is_multicast()) return "is a multicast address";
    if (v4.bytes[0] >= 240) return "is in the reserved range 240.0.0.0/4";  // RFC 1112 §4
    return "";
  }
  const Ipv6Address v6 = address.v6();
  if (v6.is_zero()) return "is the unspecified address";
  if (v6 == Ipv6Address{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}) return "is the loopback address";
  if (v6.is_multicast()) return "is a multicast address";
  return "";
}

// The highest address of an IPv4 network.
IpAddress BroadcastOf(const IpPrefix& prefix) {
  Ipv4Address address = prefix.address.v4();
  for (unsigned bit = prefix.length; bit < 32; ++bit) {
    address.bytes[bit / 8] = static_cast<uint8_t>(address.bytes[bit / 8] | (0x80 >> (bit % 8)));
  }
  return address;
}

// Why the address is not a host's within its own prefix; empty if it is.
std::string WrongInPrefix(const IpPrefix& prefix) {
  if (prefix.length == 0) return "has a prefix of length 0; give the on-link prefix, such as /24 or /64";
  const unsigned bits = prefix.address.is_v4() ? 32 : 128;
  if (prefix.length >= bits - 1) return "";  // RFC 3021, RFC 6164: both addresses are hosts
  if (NetworkOf(prefix).address == prefix.address) {
    return prefix.address.is_v4() ? "is the network itself; use an address within it"
                                  : "is the subnet-router anycast address (RFC 4291 §2.6.1); use another within it";
  }
  if (prefix.address.is_v4() && BroadcastOf(prefix) == prefix.address) {
    return "is the broadcast address of its network; use another within it";
  }
  return "";
}

// What only the other file could mend has no better line.
Place InThisFile(Place place) {
  if (place.line == kElsewhere) place.line = 1;
  return place;
}

}  // namespace

void AddressReader::ReportTo(ConfigErrors* errors) {
  errors_ = errors;
  for (auto& [address, line] : lines_) line = kElsewhere;
  for (Placed<IpPrefix>& link : links_) link.place.line = kElsewhere;
}

std::string AddressReader::LineText(uint32_t line) const {
  return line == kElsewhere ? "node.addresses of this node's own file" : Concat("line ", line);
}

std::optional<IpPrefix> AddressReader::HostAddress(const Placed<std::string>& text) {
  const auto fail = [&](std::string_view message) {
    errors_->Add(text.place, Concat("\"", text.value, "\" ", message));
    links_known_ = false;
    return std::nullopt;
  };
  const std::optional<IpPrefix> prefix = ParsePrefix(text.value);
  if (!prefix) {
    const std::optional<IpAddress> bare = ParseIp(text.value);
    if (!bare) return fail(Concat("is not ADDRESS/PREFIX-LENGTH; write it like ", kAddressExamples));
    return fail(
        Concat("lacks the length of the on-link prefix; write it like ", text.value, bare->is_v4() ? "/24" : "/64"));
  }
  if (const std::string_view why = NotForHosts(prefix->address); !why.empty()) {
    return fail(Concat(why, "; use one that a host can have, like ", kAddressExamples));
  }
  if (prefix->address.is_v6() && prefix->address.v6().is_link_local()) {
    return fail(Concat("is a link-local address; use one that others can reach, like ", kAddressExamples));
  }
  if (const std::string why = WrongInPrefix(*prefix); !why.empty()) return fail(why);
  const auto [entry, first] = lines_.emplace(prefix->address, text.place.line);
  if (!first) return fail(Concat("was given in ", LineText(entry->second), " already; give every address once"));
  links_.push_back({*prefix, text.place});
  return prefix;
}

std::vector<IpPrefix> AddressReader::NodeAddresses(TableReader* node) {
  std::vector<IpPrefix> result;
  for (const Placed<std::string>& text : node->Strings("addresses")) {
    if (const auto address = HostAddress(text)) result.push_back(*address);
  }
  return result;
}

std::optional<AddressConfig> AddressReader::ServiceAddress(TableReader* entry) {
  AddressConfig config;
  const auto text = entry->RequiredString("address", Concat("write it like ", kAddressExamples));
  if (text) {
    if (const auto address = HostAddress(*text)) config.candidates.push_back(*address);
  }
  for (const Placed<std::string>& alternative : entry->Strings("alternatives")) {
    const auto address = HostAddress(alternative);
    if (!address) continue;
    if (!config.candidates.empty() && config.candidates[0].address.is_v4() != address->address.is_v4()) {
      errors_->Add(alternative.place,
                   Concat("\"", alternative.value, "\" is ", FamilyName(address->address), " but the address is ",
                          FamilyName(config.candidates[0].address), "; give it a [[cluster.address]] of its own"));
      continue;
    }
    config.candidates.push_back(*address);
  }
  entry->RejectUnknownKeys();
  if (config.candidates.empty()) return std::nullopt;
  return config;
}

std::vector<AddressConfig> AddressReader::ServiceAddresses(TableReader* cluster, bool required) {
  std::vector<AddressConfig> result;
  size_t of_family[2] = {0, 0};
  std::vector<TableReader> entries = cluster->Tables("address");
  for (TableReader& entry : entries) {
    auto config = ServiceAddress(&entry);
    if (!config) continue;
    const IpAddress& address = config->candidates[0].address;
    if (++of_family[address.is_v6()] == kMaxServiceAddresses + 1) {
      errors_->Add(entry.place(), Concat("more than ", kMaxServiceAddresses, " ", FamilyName(address),
                                         " service addresses; remove the others"));
    }
    result.push_back(*std::move(config));
  }
  if (required && entries.empty()) {
    cluster->Fail("address", "missing; add a section [[cluster.address]] with the service address");
  }
  return result;
}

void AddressReader::CheckGateway(const IpAddress& gateway, const Place& place) const {
  const std::string text = ToString(gateway);
  if (const auto found = lines_.find(gateway); found != lines_.end()) {
    errors_->Add(place,
                 Concat(text, " is an address of ours (", LineText(found->second), "); give the router's address"));
    return;
  }
  if (const std::string_view why = NotForHosts(gateway); !why.empty()) {
    errors_->Add(place, Concat(text, " ", why, "; give the router's address"));
    return;
  }
  if (gateway.is_v6() && gateway.v6().is_link_local()) return;  // on every link
  const auto reaches = [&](const Placed<IpPrefix>& link) { return Contains(link.value, gateway); };
  if (links_known_ && std::none_of(links_.begin(), links_.end(), reaches)) {
    errors_->Add(place, Concat(text, " is not in the prefix of any ", FamilyName(gateway),
                               " address; give the router on the link, or correct the prefix lengths"));
  }
}

void AddressReader::CheckLinks() const {
  for (const Placed<IpPrefix>& link : links_) {
    const IpPrefix& narrow = link.value;
    const auto wider = [&](const Placed<IpPrefix>& other) {
      return other.value.length < narrow.length && Contains(other.value, narrow.address);
    };
    const auto found = std::ranges::find_if(links_, wider);
    if (found == links_.end()) continue;
    const IpPrefix& wide = found->value;
    if (link.place.line == kElsewhere && found->place.line != kElsewhere) {
      errors_->Add(found->place,
                   Concat("\"", ToString(wide), "\" contains ", ToString(narrow), ", the address of a node (",
                          LineText(kElsewhere), "), but says /", wide.length, "; write ", ToString(wide.address), "/",
                          narrow.length, " for the same link, or correct the node's length there"));
      continue;
    }
    errors_->Add(
        InThisFile(link.place),
        Concat("\"", ToString(narrow), "\" is within ", ToString(NetworkOf(wide)), ", the link of ",
               ToString(wide.address), " (", LineText(found->place.line), "), but says /", narrow.length, "; write ",
               ToString(narrow.address), "/", wide.length, " for the same link, or correct the other length"));
  }
}

void AddressReader::CheckReach(const std::vector<IpAddress>& gateways) const {
  if (!links_known_) return;
  for (const auto& [address, place] : links_) {
    const bool v4 = address.address.is_v4();
    const auto has_others = [v4](const Placed<IpPrefix>& link) {
      return link.value.address.is_v4() == v4 && link.value.length < (v4 ? 32 : 128);
    };
    const auto same_family = [v4](const IpAddress& gateway) { return gateway.is_v4() == v4; };
    if (std::ranges::any_of(links_, has_others) || std::ranges::any_of(gateways, same_family)) continue;
    errors_->Add(InThisFile(place),
                 Concat("\"", ToString(address), "\" has a link without any other host; give the length of the ",
                        "LAN's prefix, such as ", v4 ? "/24" : "/64"));
  }
}

std::vector<IpAddress> AddressReader::Gateways(TableReader* cluster) {
  std::vector<IpAddress> result;
  for (const Placed<std::string>& text : cluster->Strings("gateway")) {
    const std::optional<IpAddress> gateway = ParseIp(text.value);
    if (!gateway) {
      errors_->Add(text.place, Concat("\"", text.value,
                                      "\" is not an address; write it without prefix length, like "
                                      "198.51.100.1 or 2001:db8:2::1"));
      continue;
    }
    const auto same_family = [&](const IpAddress& other) { return other.is_v4() == gateway->is_v4(); };
    if (std::any_of(result.begin(), result.end(), same_family)) {
      errors_->Add(text.place,
                   Concat(text.value, " is a second ", FamilyName(*gateway), " gateway; give one of each family"));
      continue;
    }
    CheckGateway(*gateway, text.place);
    result.push_back(*gateway);
  }
  CheckLinks();
  CheckReach(result);
  return result;
}

}  // namespace qure
