// Two heartbeaters in a world that does them wrong: a link that loses, delays and reorders, workers that stand still,
// clocks that differ and hide pauses, control threads that hang and change their minds. One seed, one run.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/lease/heartbeat_pair.h"

namespace qure {

struct WorldResult {
  std::string violation;  // the first; "" if there was none
  int silences = 0;       // the deputy reported kMasterSilent
  int renewals = 0;       // a lease was lost and came back
  int open_rounds = 0;    // rounds in which the master might transmit
  int rounds = 0;
};

class HeartbeatWorld {
 public:
  explicit HeartbeatWorld(uint64_t seed);

  // Goes on for `span` or to the first violation.
  WorldResult Run(Duration span);

 private:
  enum class Phase : uint8_t { kBegin, kReceive, kHeartbeater, kTransmit };

  struct Flight {
    MonoTime arrival;  // true time
    Sealed datagram;
  };

  // A node and its clocks.
  struct Side {
    explicit Side(uint8_t name) : node(name) {}
    MonoTime Clock(MonoTime t) const { return At(t - hidden); }
    MonoTime Tsc(MonoTime t) const { return At(t); }

    Node node;
    double rate = 1;
    Duration hidden;  // what the clock did not see
    MonoTime next;
    Phase phase = Phase::kBegin;
    Duration stall;
    MonoTime emptied;   // all that had arrived before this was received; by its clock
    MonoTime deadline;  // what its heartbeater waited for in its last round
    MonoTime last_loop;
    MonoTime stood_still;  // when its loop last resumed after more than a third of D; by its clock
    std::vector<Flight> inbox;

   private:
    MonoTime At(MonoTime t) const {
      return kStart + Duration{static_cast<int64_t>(static_cast<double>((t - kStart).ns) * rate)};
    }
  };

  bool Chance(double p) { return std::uniform_real_distribution<double>(0, 1)(random_) < p; }
  Duration Between(Duration least, Duration most) {
    return {std::uniform_int_distribution<int64_t>(least.ns, most.ns)(random_)};
  }

  void BeginTerm();
  void Control();  // whatever the control threads do in between
  Duration AnyLease();
  void Flood();
  void Step(Side* side, Side* other);
  void Receive(Side* side);
  void Send(Side* from, Side* to);
  void Pause(Side* side);
  void OnEvents();
  void OnSilence();
  bool HeartbeatWaits() const;
  void Check();
  void Violate(const std::string& what);

  std::mt19937_64 random_;
  Side master_{1};
  Side deputy_{2};
  MonoTime now_ = kStart;  // true time

  bool hides_ = false;  // clocks hide pauses, but go nearly at one rate
  double loss_ = 0;
  Duration delay_;
  Duration jitter_;
  double pause_ = 0;            // chance per phase
  MonoTime cut_until_[2] = {};  // by sender
  MonoTime hung_until_;
  MonoTime next_control_;
  MonoTime end_of_term_ = kNever;
  MonoTime last_hidden_;
  uint64_t epoch_ = 0;
  bool silent_ = false;
  WorldResult result_;
};

}  // namespace qure
