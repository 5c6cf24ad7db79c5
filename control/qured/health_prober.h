// Makes health checks: a TCP connection to the service on this machine, and with HTTP a request and the status line of
// its answer. Never blocks; one descriptor to wait for, one check of a service at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "control/base/fd.h"
#include "control/core/config.h"
#include "proto/net/address.h"
#include "proto/time.h"

namespace qure {

struct ProbeResult {
  std::string service;
  bool good = false;
};

class HealthProber {
 public:
  HealthProber();

  // Readable when Collect has something to do before the deadline.
  int fd() const { return epoll_.get(); }
  // Checks `service` at `address`; the result comes from Collect. A check of it that is still under way is given up,
  // without a result; there is none either while this machine does not have the address.
  void Start(MonoTime now, const ServiceConfig& service, const IpAddress& address);
  // The checks that have come to an end, by what was received or by their timeout.
  std::vector<ProbeResult> Collect(MonoTime now);
  MonoTime deadline() const;

 private:
  struct Probe {
    Fd socket;
    std::string request;  // what of it is still to be sent
    std::string answer;
    bool http = false;
    uint16_t status = 0;
    bool connected = false;
    bool refused = false;  // at once
    MonoTime until;
  };
  // A connection that has told enough: read to its end, because closing it with something unread resets it.
  struct Parting {
    Fd socket;
    size_t read = 0;  // bytes since
    MonoTime until;
  };
  enum class State : uint8_t { kUnderWay, kGood, kBad };

  static State Advance(Probe* probe);
  static bool HasParted(Parting* parting);

  Fd epoll_;
  std::map<std::string, Probe> probes_;
  std::vector<Parting> partings_;
};

}  // namespace qure
