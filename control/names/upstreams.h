// Other servers that know what we do not: who is asked next. Pure.
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
  // Those that stay keep what is known of them.
  void Configure(const std::vector<Endpoint>& servers);

  // All of them, the best first: those that answer by their time to do so, then those that are left alone after
  // failures, the one that failed longest ago first.
  std::vector<Endpoint> Order(MonoTime now) const;
  void OnAnswer(const Endpoint& server, Duration took);
  void OnFailure(MonoTime now, const Endpoint& server, std::string why);

  nlohmann::ordered_json Show(MonoTime now) const;

 private:
  struct Server {
    Endpoint at;
    Duration round_trip;  // smoothed (RFC 6298 §2); zero: not known
    uint64_t answers = 0;
    uint64_t failures = 0;
    uint32_t in_a_row = 0;  // failures
    MonoTime retry_at;      // until then it is asked only if no other answers
    std::string last_failure;
  };
  Server* Find(const Endpoint& server);

  std::vector<Server> servers_;
};

}  // namespace qure
