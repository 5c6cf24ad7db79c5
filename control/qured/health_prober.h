// Runs health checks: a TCP connection to the service on this machine, and for HTTP a request and the status line of
// the response. Never blocks. There is one descriptor to wait for, and one check at a time for each service.
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

  // Readable when Collect has something to do, even before the deadline.
  int fd() const { return epoll_.get(); }
  // Checks `service` at `address`; Collect returns the result. A check of that service that is still under way ends
  // without a result. There is no result either while this machine does not have the address.
  void Start(MonoTime now, const ServiceConfig& service, const IpAddress& address);
  // The checks that have ended, by a response or by their timeout.
  std::vector<ProbeResult> Collect(MonoTime now);
  MonoTime deadline() const;

 private:
  struct Probe {
    Fd socket;
    std::string request;  // the part that is not sent yet
    std::string answer;
    bool http = false;
    uint16_t status = 0;
    bool connected = false;
    bool refused = false;  // at once
    MonoTime until;
  };
  // The connection of a check that has ended. It is read to its end, because closing it with unread bytes resets it.
  struct Parting {
    Fd socket;
    size_t read = 0;  // bytes since the check ended
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
