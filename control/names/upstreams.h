// The other DNS servers that queries are forwarded to, and the order in which to ask them. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/core/config.h"
#include "nlohmann/json.hpp"
#include "proto/time.h"

namespace qure {

class Upstreams {
 public:
  // Servers that stay keep their state.
  void Configure(const std::vector<Endpoint>& servers);

  // All servers, the best first: those that answer, by round-trip time, then those that rest after failures, by the end
  // of their rest.
  std::vector<Endpoint> Order(MonoTime now) const;
  void OnAnswer(const Endpoint& server, Duration took);
  void OnFailure(MonoTime now, const Endpoint& server, std::string why);

  nlohmann::ordered_json Show(MonoTime now) const;

 private:
  struct Server {
    Endpoint at;
    Duration round_trip;  // smoothed (RFC 6298 §2); zero: unknown
    uint64_t answers = 0;
    uint64_t failures = 0;
    uint32_t in_a_row = 0;         // failures
    MonoTime retry_at = kLongAgo;  // before that it is asked only if no other server answers
    std::string last_failure;
  };
  Server* Find(const Endpoint& server);

  std::vector<Server> servers_;
};

}  // namespace qure
