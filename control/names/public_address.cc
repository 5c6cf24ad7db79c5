#include "control/names/public_address.h"

#include <algorithm>
#include <map>

#include "control/base/text.h"
#include "proto/dns/rdata.h"

namespace qure {
namespace {

bool CanBePublic(const IpAddress& address) {
  if (address.is_v4()) {
    const Ipv4Address v4 = address.v4();
    // Not: this network, loopback, link-local, multicast and the reserved range above it (RFC 6890 §2.2.2), private
    // and shared addresses (RFC 1918, RFC 6598), which the server has only seen inside somebody's network.
    const auto& b = v4.bytes;
    const bool is_private = b[0] == 10 || (b[0] == 172 && b[1] >> 4 == 1) || (b[0] == 192 && b[1] == 168) ||
                            (b[0] == 100 && b[1] >> 6 == 1);
    return b[0] != 0 && !v4.is_loopback() && !(b[0] == 169 && b[1] == 254) && b[0] < 224 && !is_private;
  }
  const Ipv6Address v6 = address.v6();
  const bool low = std::all_of(v6.bytes.begin(), v6.bytes.begin() + 10, [](uint8_t b) { return b == 0; });
  const bool unique_local = (v6.bytes[0] & 0xfe) == 0xfc;                     // RFC 4193
  return !low && !unique_local && !v6.is_link_local() && !v6.is_multicast();  // low: ::, ::1 and IPv4 in IPv6
}

std::string Describe(const std::map<IpAddress, size_t>& votes) {
  std::string text;
  for (const auto& [address, count] : votes) {
    text += Concat(text.empty() ? "" : ", ", ToString(address), " (", count, ")");
  }
  return text;
}

}  // namespace

std::optional<IpAddress> EchoIn(const DnsFinding& finding, const Endpoint& server) {
  if (finding.records.size() != 1) return std::nullopt;
  const std::optional<IpAddress> address = DnsAddressOf(finding.records[0].rdata);
  if (!address || address->is_v4() != server.address.is_v4() || !CanBePublic(*address)) return std::nullopt;
  return address;
}

void PublicAddresses::OnRound(const std::vector<Echo>& echoes) {
  echoes_ = echoes;
  problem_.clear();
  std::vector<IpAddress> next;
  for (const bool v6 : {false, true}) {
    std::map<IpAddress, size_t> votes;
    size_t asked = 0;
    for (const Echo& echo : echoes) {
      asked += echo.server.address.is_v6() == v6 ? 1 : 0;
      if (echo.seen && echo.seen->is_v6() == v6) ++votes[*echo.seen];
    }
    const auto most = std::ranges::find_if(votes, [&](const auto& vote) { return 2 * vote.second > asked; });
    const bool one = most != votes.end();
    if (votes.size() == 1 && !one) {
      problem_ = Concat("only ", votes.begin()->second, " of ", asked, " echo servers reported an address, ",
                        ToString(votes.begin()->first), "; more than half must agree: check that they can be reached");
    }
    if (votes.size() > 1) {
      problem_ = Concat("the echo servers do not agree: ", Describe(votes),
                        "; check that the routes to all of them use the same uplink");
    }
    if (one) {
      next.push_back(most->first);
    } else {
      std::ranges::copy_if(addresses_, std::back_inserter(next), [v6](const auto& a) { return a.is_v6() == v6; });
    }
  }
  if (std::ranges::none_of(echoes, [](const Echo& echo) { return echo.seen.has_value(); })) {
    problem_ = "no echo server reported an address; check that they can be reached and serve the name";
  }
  addresses_ = std::move(next);
}

}  // namespace qure
