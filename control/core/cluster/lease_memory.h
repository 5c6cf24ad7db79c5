// Remembers for how long master and deputy lost each other though both lived: a busy host, a backup, a scrape. What has
// ended a lease once comes back, often by the clock. So the lease stays long enough for it for minutes, and shrinks
// slowly: speed comes back late, and nothing is lost to the next one. The jitter that ends no lease is measured, and
// forgotten within seconds, by the heartbeater (JitterWatch).
#pragma once

#include <optional>

#include "proto/cluster/node.h"
#include "proto/event.h"
#include "proto/time.h"

namespace qure {

class LeaseMemory {
 public:
  // What the heartbeater reports of this node's lease with `peer`, its deputy or master.
  void OnEvent(MonoTime now, const Event& event, const std::optional<BootId>& peer);
  // A message of this boot has come.
  void OnHeard(MonoTime now, const BootId& boot);

  // What the lease must not fall below; zero: anything goes.
  Duration MinLease(MonoTime now) const;

 private:
  struct Break {
    BootId peer{};
    MonoTime since;       // the newest sign of life before
    bool parted = false;  // the lease has ended: any message shows that the peer lives
  };
  void End(MonoTime now);
  void Note(MonoTime now, Duration gap);

  std::optional<Break> broken_;  // not heard of since
  Duration wanted_;
  MonoTime noted_ = kLongAgo;  // when wanted_ was last asked for
};

}  // namespace qure
