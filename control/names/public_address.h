// The addresses of a cluster on the Internet, as DNS echo servers report them: servers that answer a query for a
// certain name with the address of the client. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/dns/response.h"
#include "proto/net/address.h"
#include "proto/net/endpoint.h"

namespace qure {

// The address that an echo server has reported. Nullopt unless it is exactly one address, of the family that the query
// was sent over, that a host on the Internet can have.
std::optional<IpAddress> EchoIn(const DnsFinding& finding, const Endpoint& server);

// The result of the echo servers over all rounds.
class PublicAddresses {
 public:
  struct Echo {
    Endpoint server;
    std::optional<IpAddress> seen;  // absent: no answer, or not a valid one
    friend bool operator==(const Echo&, const Echo&) = default;
  };

  // Takes, for each family, the address that more than half of the servers asked over it reported: one that lies while
  // the others are silent decides nothing. Without such an address the earlier one stays: an unreachable server must
  // not take the cluster off the Internet.
  void OnRound(const std::vector<Echo>& echoes);
  void Reset() { *this = {}; }

  const std::vector<IpAddress>& addresses() const { return addresses_; }  // at most one of each family
  const std::vector<Echo>& echoes() const { return echoes_; }             // of the last round
  // Why the last round had no clear result; empty if it had one.
  const std::string& problem() const { return problem_; }

 private:
  std::vector<IpAddress> addresses_;
  std::vector<Echo> echoes_;
  std::string problem_;
};

}  // namespace qure
