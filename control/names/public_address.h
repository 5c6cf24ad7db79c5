// Which addresses a cluster has towards the Internet, as DNS echoes tell it: servers that answer a certain name with
// the address of whoever asks. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "proto/dns/response.h"
#include "proto/net/address.h"
#include "proto/net/endpoint.h"

namespace qure {

// What an echo server has told: nothing unless it is exactly one address, of the family that it was asked over, that a
// host on the Internet can have.
std::optional<IpAddress> EchoIn(const DnsFinding& finding, const Endpoint& server);

// What the echoes of one round say together.
class PublicAddresses {
 public:
  struct Echo {
    Endpoint server;
    std::optional<IpAddress> seen;  // absent: no answer, or none of use
    friend bool operator==(const Echo&, const Echo&) = default;
  };

  // For each family the address that most of the servers which answered have seen. If two addresses have as many, or
  // nobody has answered, what was true before stays: a server that is away must not take the cluster off the Internet.
  void OnRound(const std::vector<Echo>& echoes);
  void Reset() { *this = {}; }

  const std::vector<IpAddress>& addresses() const { return addresses_; }  // at most one of each family
  const std::vector<Echo>& echoes() const { return echoes_; }             // of the last round
  // What the servers did not agree on, or that none has answered; empty: all is well.
  const std::string& problem() const { return problem_; }

 private:
  std::vector<IpAddress> addresses_;
  std::vector<Echo> echoes_;
  std::string problem_;
};

}  // namespace qure
