// Asks DNS echoes for the cluster's public addresses, again and again.
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
  // `told` comes after each round, in the loop.
  AddressEcho(asio::io_context& io, std::function<void()> told);

  // Asks from now on. What was told so far is forgotten if it is about another list of servers or another name.
  void Start(const std::vector<Endpoint>& servers, const std::string& name);
  // Forgets what was told.
  void Stop();
  const PublicAddresses& result() const { return result_; }

 private:
  void Ask();
  void OnAnswer();

  asio::io_context& io_;
  const std::function<void()> told_;
  asio::steady_timer timer_;
  std::vector<Endpoint> servers_;
  std::string name_;
  std::vector<std::unique_ptr<DnsExchange>> exchanges_;  // as many as servers, while a round is under way
  std::vector<PublicAddresses::Echo> round_;
  size_t open_ = 0;  // exchanges that have not ended
  PublicAddresses result_;
};

}  // namespace qure
