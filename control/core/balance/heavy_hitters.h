// Which remote addresses are heavy hitters: one that opens many flows becomes one at once, and stays one until it has
// opened few for kHeavyHitterQuiet. The master's, published with the balance epoch. A pure state machine.
#pragma once

#include <cstdint>
#include <map>
#include <set>

#include "proto/balance.h"
#include "proto/time.h"

namespace qure {

class HeavyHitters {
 public:
  // A worker has seen this address open many flows, or enough to keep a heavy hitter.
  void OnSighting(MonoTime now, const RemoteAddress& remote, bool many);
  // This node has begun to lead: the heavy hitters of the balance epoch stay, as if seen now.
  void Adopt(MonoTime now, const std::set<RemoteAddress>& heavy_hitters);
  // Forgets those that have been quiet.
  std::set<RemoteAddress> At(MonoTime now);
  // When the next one is to be forgotten.
  MonoTime deadline() const;

 private:
  std::map<RemoteAddress, MonoTime> seen_;
};

}  // namespace qure
