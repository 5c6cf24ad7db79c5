// Whether this node's part of each service works: from the results of checks, damped both ways. Pure: the caller
// makes the checks.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/core/config.h"
#include "proto/time.h"

namespace qure {

// A service that has failed lately has to succeed for longer until it is believed again: twice as often in a row for
// each failure of the last kFlapMemory but one, up to kMostDamping times.
inline constexpr Duration kFlapMemory = Seconds(60);
inline constexpr uint32_t kMostDamping = 16;

enum class CheckResult : uint8_t {
  kGood,
  kFailed,
  kUnreached,  // the server works, but nothing answers what comes to it the way that clients' packets do
};

// What the checks of this node have found.
struct ServiceHealth {
  std::set<std::string> unhealthy;  // services that do not work here, as far as is known
  std::set<std::string> unchecked;  // of these: no check has been made yet, so that nobody knows
  std::set<std::string> unreached;  // of these: kUnreached
  friend bool operator==(const ServiceHealth&, const ServiceHealth&) = default;
};

// One check. Until the first result the service is taken not to work.
class Health {
 public:
  explicit Health(const HealthCheck& check) : check_(check) {}

  void OnResult(MonoTime now, CheckResult result);
  bool healthy() const { return check_.kind == HealthCheck::Kind::kNone || healthy_; }
  bool checked() const { return check_.kind == HealthCheck::Kind::kNone || heard_; }
  bool unreached() const { return !healthy() && unreached_; }
  const HealthCheck& check() const { return check_; }
  // Good results in a row that it takes now.
  uint32_t NeededToRise(MonoTime now) const;

 private:
  HealthCheck check_;
  bool healthy_ = false;
  bool heard_ = false;
  bool unreached_ = false;  // the last result
  uint32_t in_a_row_ = 0;   // results against the present verdict
  std::vector<MonoTime> falls_;
};

// All services of this node.
class HealthBoard {
 public:
  // Services that are checked as before keep their state, whatever else has changed about them.
  void Configure(const std::vector<ServiceConfig>& services, MonoTime now);
  // The services that are to be checked now; each is due again an interval later.
  std::vector<const ServiceConfig*> TakeDue(MonoTime now);
  void OnResult(MonoTime now, const std::string& service, CheckResult result);
  ServiceHealth health() const;
  // The same, if it has changed since the last call.
  std::optional<ServiceHealth> TakeChange();
  MonoTime deadline() const { return due_.empty() ? kNever : due_.begin()->first; }

 private:
  struct Entry {
    ServiceConfig service;
    Health health;
    MonoTime next;
  };
  std::map<std::string, Entry> entries_;
  std::set<std::pair<MonoTime, std::string>> due_;  // each entry's `next`: what is not due costs nothing
  bool changed_ = false;
};

}  // namespace qure
