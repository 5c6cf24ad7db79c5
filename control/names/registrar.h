// Registers the cluster's public addresses at a main DNS server, as configured in [cluster.registration]. Gives
// Registration its clock, its sockets and its addresses.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include "absl/random/random.h"

#include "control/core/cluster_facts.h"
#include "control/core/config.h"
#include "control/names/address_echo.h"
#include "control/names/dns_exchange.h"
#include "control/names/registration.h"
#include "nlohmann/json.hpp"
#include "proto/time.h"

namespace qure {

inline constexpr Duration kServerTimeout = Seconds(3);  // of one question or update
inline constexpr Duration kLeaveTimeout = Seconds(5);   // of a removal when the cluster stops

// Gets the known addresses of the cluster on the Internet.
using PublicAddressCallback = std::function<void(const std::vector<IpAddress>& addresses)>;

struct RegistrarOptions {
  Duration timeout = kServerTimeout;
  Duration leave_timeout = kLeaveTimeout;
  std::function<uint64_t()> wall_clock;  // seconds since 1970; the system's by default
};

class Registrar {
 public:
  // Calls `report` in the loop, on every node, whenever the public addresses change.
  explicit Registrar(asio::io_context& io, PublicAddressCallback report = nullptr, RegistrarOptions options = {});

  void Configure(const ClusterConfig& config);
  void OnFacts(const ClusterFacts& facts);
  // This node stops gracefully. If it is the master and no other node is active, removes the registration first. Calls
  // `done` once, after RegistrarOptions::leave_timeout at the latest, possibly before Leave returns.
  void Leave(std::function<void()> done);
  // Null without [cluster.registration].
  nlohmann::ordered_json Show() const;

 private:
  struct Sent {  // the message that is under way
    uint16_t id = 0;
    DnsQuestion question;  // name empty: an update
    std::string mac;
    std::string note;      // why an answer was not accepted
    uint8_t rcode = 0;     // of the answer
    DnsResponse response;  // to the question
  };

  void FollowAddresses();
  void Pump();
  void Send(const RegistrationStep& step);
  DnsExchange::Judgement Judge(ConstBytes answer);
  void OnDone(const std::string& error);
  void Report();
  void EndLeave();

  const PublicAddressCallback report_;
  const RegistrarOptions options_;
  absl::BitGen random_;
  asio::steady_timer timer_;
  asio::steady_timer leave_timer_;
  DnsExchange exchange_;
  AddressEcho echo_;
  Registration registration_;
  std::optional<RegistrationConfig> config_;
  std::vector<IpAddress> addresses_;  // the public ones, as reported
  bool alone_ = false;
  Sent sent_;
  std::function<void()> left_;  // `done` of Leave
  Registration::State reported_ = Registration::State::kOff;
  std::string reported_error_;
  std::string reported_problem_;  // of the echoes
};

}  // namespace qure
