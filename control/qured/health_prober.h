// Runs health checks: a TCP connection to the service on this machine, and for HTTP a request and the status line of
// the response. That connection does not leave the machine, so a firewall lets it pass that stops clients. Therefore a
// SYN comes by the host port as well (way_in.h), and has to be answered.
//
// Never blocks. There is one descriptor to wait for, and one check at a time for each service. A check costs something
// when the kernel or the clock has news of it, and nothing while others have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/base/fd.h"
#include "control/core/balance/health.h"
#include "control/core/config.h"
#include "proto/net/address.h"
#include "proto/net/way_in.h"
#include "proto/time.h"

namespace qure {

struct ProbeResult {
  std::string service;
  CheckResult result = CheckResult::kFailed;
};

class HealthProber {
 public:
  // Hands a frame to the kernel by the host port, whose MAC is `host`. May lose it.
  using SendToKernel = std::function<void(ConstBytes frame)>;
  HealthProber(const MacAddress& host, SendToKernel send, std::function<uint32_t()> random);

  // Readable when Collect has something to do, even before the deadline.
  int fd() const { return epoll_.get(); }
  // Checks `service` at `address`; Collect returns the result. A check of that service that is still under way ends
  // without a result. There is no result either while this machine does not have the address.
  void Start(MonoTime now, const ServiceConfig& service, const IpAddress& address);
  // The kernel's answer to the SYN `number`, from a worker.
  void OnWayIn(uint32_t number, bool open);
  // The checks that have ended, by a response or by their timeout.
  std::vector<ProbeResult> Collect(MonoTime now);
  MonoTime deadline() const { return timeouts_.empty() ? kNever : timeouts_.begin()->first; }
  // How often a connection was looked at: what Collect costs.
  uint64_t looks() const { return looks_; }

 private:
  using Number = uint64_t;  // of a connection
  using Timeouts = std::set<std::pair<MonoTime, Number>>;

  // What has become of the SYN.
  enum class Way : uint8_t { kNotAsked, kAsked, kOpen, kShut };
  struct Probe {
    Number number = 0;
    Way way = Way::kNotAsked;
    WayInQuestion question;
    bool same_port = false;  // the SYN went to the port that is checked: a RST is a failure
    bool answers = false;    // the server works
    Fd socket;
    std::string request;  // the part that is not sent yet
    std::string answer;
    bool http = false;
    uint16_t status = 0;
    bool connected = false;
    bool refused = false;  // at once: there is no connection
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
  std::vector<Number> TakeReady(MonoTime now);
  void Ask(const ServiceConfig& service, const IpAddress& address, Probe* probe);
  // The result of a probe that has one.
  static std::optional<CheckResult> ResultOf(MonoTime now, Probe* probe);
  void Look(MonoTime now, Number number, std::vector<ProbeResult>* results);
  void Part(Probe* probe);
  void Drop(const std::string& service);

  const MacAddress host_;
  const SendToKernel send_;
  const std::function<uint32_t()> random_;
  Fd epoll_;
  Number last_number_ = 0;
  std::map<std::string, Probe> probes_;
  std::map<Number, std::string> services_;  // of the probes
  Timeouts timeouts_;                       // of the probes
  std::map<uint32_t, Number> questions_;    // of the probes that have asked, by the question's number
  std::vector<Number> answered_;            // probes that the next Collect looks at
  std::map<Number, Parting> partings_;
  Timeouts parting_timeouts_;
  uint64_t looks_ = 0;
};

}  // namespace qure
