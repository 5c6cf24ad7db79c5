// Queries DNS echo servers for the cluster's public addresses, at intervals.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "control/core/config.h"
#include "control/names/dns_exchange.h"
#include "control/names/public_address.h"
#include "proto/time.h"

namespace qure {

inline constexpr Duration kEchoInterval = Seconds(60);
inline constexpr Duration kEchoIntervalWithoutAny = Seconds(5);  // while no address is known
inline constexpr Duration kEchoTimeout = Seconds(3);

class AddressEcho {
 public:
  // Calls `on_round` after each round, in the loop.
  AddressEcho(asio::io_context& io, std::function<void()> on_round);

  // Queries `servers` for `name` from now on. Another list of servers or another name resets the result.
  void Start(const std::vector<Endpoint>& servers, const std::string& name);
  // Ends the queries and resets the result.
  void Stop();
  const PublicAddresses& result() const { return result_; }

 private:
  void Query();
  void OnAnswer();

  asio::io_context& io_;
  const std::function<void()> on_round_;
  asio::steady_timer timer_;
  std::vector<Endpoint> servers_;
  std::string name_;
  std::vector<std::unique_ptr<DnsExchange>> exchanges_;  // one for each server, while a round is under way
  std::vector<PublicAddresses::Echo> round_;
  size_t open_ = 0;  // exchanges that have not ended
  PublicAddresses result_;
};

}  // namespace qure
